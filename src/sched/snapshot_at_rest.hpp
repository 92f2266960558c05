#pragma once

// A snapshot taken without tasks, for the report that no task can run any more.

#include <tare/snapshot.hpp>

namespace tare::detail {

class runtime_core;

/// All shards of the runtime must be at rest. Throws std::bad_alloc.
[[nodiscard]] task_snapshot snapshot_at_rest(runtime_core& runtime);

}  // namespace tare::detail
