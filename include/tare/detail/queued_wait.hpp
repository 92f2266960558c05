#pragma once

// Shared by the awaiters of semaphores, channels and events: a node in the list of a primitive, guarded by its lock.

#include <tare/detail/brief_lock.hpp>
#include <tare/detail/wait_node.hpp>

#include <optional>

namespace tare::detail {

/// A primitive's lock and its waiters. 12 bytes.
struct waiters {
  brief_lock lock;
  wait_list queue;
};

struct queued_wait : wait_node {
  bool granted = false;  ///< removed from the queue by the primitive, which wakes the task; guarded by the lock

  /// Removes the first node from the queue; the caller must wake it. Requires the lock.
  static queued_wait* grant_first(wait_list& queue) noexcept {
    auto* first = static_cast<queued_wait*>(queue.pop_front());
    if (first != nullptr) first->granted = true;
    return first;
  }
};

/// For `await_ready`: true if the awaited condition holds and the task has steps left. A task that finds everything
/// ready goes to the end of the run queue from time to time, so that other tasks get their turn.
[[nodiscard]] inline bool ready_at_once(bool complete) noexcept { return complete && --current_shard->budget >= 0; }

/// Call it first in `await_suspend`: the value to return if the task is cancelled and must not wait; nullopt if it may
/// wait.
[[nodiscard]] inline std::optional<bool> refuse_if_cancelled(wait_state& task) noexcept {
  if (!task.cancelled) [[likely]]
    return std::nullopt;
  return current_shard->refuse(task);
}

/// A node removed under a lock, to be woken after unlocking. Declare it before the lock's guard, so that it is
/// destroyed after the guard even if an exception is thrown.
class wake_last {
 public:
  wake_last() = default;
  wake_last(const wake_last&) = delete;
  wake_last& operator=(const wake_last&) = delete;
  ~wake_last() {
    if (granted_ != nullptr) wake(*granted_);
  }
  void grant_first(wait_list& queue) noexcept { granted_ = queued_wait::grant_first(queue); }

 private:
  queued_wait* granted_ = nullptr;
};

/// Nodes removed under a lock, to be woken after unlocking.
class wake_list {
 public:
  void push(queued_wait& granted) noexcept { granted_.push_back(granted); }
  /// Each node may be destroyed as soon as it is woken.
  void wake_all() noexcept {
    while (wait_node* next = granted_.pop_front()) wake(*next);
  }

 private:
  wait_list granted_;
};

}  // namespace tare::detail
