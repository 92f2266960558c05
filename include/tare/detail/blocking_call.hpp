#pragma once

// What the blocking pool knows of a call (src/sched/blocking_pool.hpp). Lies in the awaiting frame.

#include <tare/detail/wait_node.hpp>

namespace tare::detail {

struct blocking_call : wait_node {
  /// Runs on a thread of the pool.
  void (*run)(blocking_call& self) noexcept = nullptr;
  blocking_call* later = nullptr;    ///< in the pool's queue
  blocking_call* earlier = nullptr;  ///< likewise
  bool queued = false;               ///< guarded by the pool's lock
};

/// Queues the call for the runtime's pool and suspends the task until it has run. Throws std::system_error if there is
/// no thread and none can be started; then the task goes on (src/sched/blocking_pool.cpp).
void start_blocking(blocking_call& call, wait_state& waiting);

/// Takes a call back that has not begun, on the shard of its task, which is then still to be woken. False if it has.
[[nodiscard]] bool take_back(blocking_call& call) noexcept;

}  // namespace tare::detail
