#pragma once

// What the awaiters of semaphores, channels and events share: a node in the list of a primitive, under its lock.

#include <tare/detail/brief_lock.hpp>
#include <tare/detail/wait_node.hpp>

#include <optional>

namespace tare::detail {

/// A primitive's lock and those who wait. 12 bytes.
struct waiters {
  brief_lock lock;
  wait_list queue;
};

struct queued_wait : wait_node {
  bool granted = false;  ///< taken out of the queue by the primitive, which wakes the task; guarded by the lock

  /// Takes the node out for whoever wakes it. Under the lock.
  static queued_wait* grant_first(wait_list& queue) noexcept {
    auto* first = static_cast<queued_wait*>(queue.pop_front());
    if (first != nullptr) first->granted = true;
    return first;
  }
};

/// For `await_ready`: true if what was waited for is there and the task has steps left. A task that only ever finds
/// everything ready is sent to the end of the run queue now and then, so that others get their turn.
[[nodiscard]] inline bool ready_at_once(bool complete) noexcept { return complete && --current_shard->budget >= 0; }

/// For `await_suspend`, first: what it returns if the task is cancelled, and so must not wait; nullopt if it may wait.
[[nodiscard]] inline std::optional<bool> refuse_if_cancelled(wait_state& task) noexcept {
  if (!task.cancelled) [[likely]]
    return std::nullopt;
  return current_shard->refuse(task);
}

/// A node taken out under a lock, to be woken after it: declared before the lock's guard, and so destroyed after it,
/// also on the path of an exception.
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

/// Nodes taken out under a lock, to be woken after it.
class wake_list {
 public:
  void push(queued_wait& granted) noexcept { granted_.push_back(granted); }
  /// Each node may be gone as soon as it is woken.
  void wake_all() noexcept {
    while (wait_node* next = granted_.pop_front()) wake(*next);
  }

 private:
  wait_list granted_;
};

}  // namespace tare::detail
