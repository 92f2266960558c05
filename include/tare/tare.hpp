#pragma once

// All of the library.

#include <tare/error.hpp>
#include <tare/runtime.hpp>
#include <tare/scope.hpp>
#include <tare/shield.hpp>
#include <tare/sleep.hpp>
#include <tare/task.hpp>
#include <tare/timeout.hpp>
#include <tare/version.hpp>
#include <tare/when.hpp>
