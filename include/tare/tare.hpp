#pragma once

// The whole core library.

#include <tare/adapt.hpp>
#include <tare/byte_budget.hpp>
#include <tare/cancellation.hpp>
#include <tare/channel.hpp>
#include <tare/error.hpp>
#include <tare/event.hpp>
#include <tare/handle.hpp>
#include <tare/interval.hpp>
#include <tare/map.hpp>
#include <tare/memory_budget.hpp>
#include <tare/mutex.hpp>
#include <tare/offload.hpp>
#include <tare/oneshot.hpp>
#include <tare/resume_on.hpp>
#include <tare/retry.hpp>
#include <tare/runtime.hpp>
#include <tare/scope.hpp>
#include <tare/select.hpp>
#include <tare/semaphore.hpp>
#include <tare/shard_id.hpp>
#include <tare/shield.hpp>
#include <tare/sleep.hpp>
#include <tare/snapshot.hpp>
#include <tare/spawn_future.hpp>
#include <tare/stop_token.hpp>
#include <tare/suspend.hpp>
#include <tare/task.hpp>
#include <tare/timeout.hpp>
#include <tare/timer.hpp>
#include <tare/version.hpp>
#include <tare/when.hpp>
