#pragma once

// A call queued for the blocking pool (src/sched/blocking_pool.hpp). Lives in the awaiting frame.

#include <tare/detail/wait_node.hpp>

namespace tare::detail {

struct blocking_call : wait_node {
  /// Runs on a thread of the pool.
  void (*run)(blocking_call& self) noexcept = nullptr;
  blocking_call* later = nullptr;    ///< in the pool's queue
  blocking_call* earlier = nullptr;  ///< likewise
  bool queued = false;               ///< guarded by the pool's lock
};

/// Queues the call for the runtime's pool and suspends the task until it has run. Throws std::system_error if the pool
/// has no thread and cannot start one; the task then continues (src/sched/blocking_pool.cpp).
void start_blocking(blocking_call& call, wait_state& waiting);

/// Withdraws a call that has not begun; false if it has begun. Call it on the task's shard. The caller must then wake
/// the task.
[[nodiscard]] bool take_back(blocking_call& call) noexcept;

}  // namespace tare::detail
