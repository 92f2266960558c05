#pragma once

// A snapshot without tasks that take it: for who reports that no task runs any more.

#include <tare/snapshot.hpp>

namespace tare::detail {

class runtime_core;

/// While all shards of the runtime are at rest. Throws std::bad_alloc.
[[nodiscard]] task_snapshot snapshot_at_rest(runtime_core& runtime);

}  // namespace tare::detail
