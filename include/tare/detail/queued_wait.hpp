#pragma once

// Shared by the awaiters of semaphores, channels and events: a node in the list of a primitive, guarded by its lock.

#include <tare/detail/brief_lock.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/detail/wait_node.hpp>

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

namespace tare::detail {

/// A primitive's lock and its waiters. 12 bytes.
struct waiters {
  brief_lock lock;
  wait_list queue;
};

/// For the destructor of a primitive: aborts the program with `message` if a task is still in the queue, because its
/// node would point to what is gone.
inline void require_no_waiter(const wait_list& queue, const char* message) noexcept {
  if (!queue.empty()) [[unlikely]]
    misuse(message);
}

/// The wait of a task for the first of several primitives (select.hpp). The task is suspended on this node; each
/// primitive has a node of its own in its queue. Whoever ends the wait must claim it first.
struct select_core : wait_node {
  /// False if the wait has already been claimed. `by` is a link to the node that ends it.
  [[nodiscard]] bool claim(link by) noexcept {
    link nobody = no_link;
    return claimed.compare_exchange_strong(nobody, by, std::memory_order_acq_rel, std::memory_order_acquire);
  }
  std::atomic<link> claimed = no_link;
};

struct queued_wait : wait_node {
  bool granted = false;    ///< not in the queue: removed by the primitive, which wakes the task; guarded by the lock
  bool in_select = false;  ///< one of several waits of the task, which is suspended on a select_core

  // The rest requires the lock of the primitive whose queue the node is in. A node of a select stays in the queue after
  // the select has been claimed elsewhere, until its task resumes; primitives remove and skip such a node.

  /// True if the task may be given what it waits for. The caller must then do so and remove the node from the queue.
  [[nodiscard]] bool claim() noexcept { return !in_select || core().claim(to_link(static_cast<wait_node*>(this))); }
  /// True if the task has been given something else.
  [[nodiscard]] bool is_stale() const noexcept {
    return in_select && core().claimed.load(std::memory_order_acquire) != no_link;
  }
  void leave(wait_list& queue) noexcept {
    queue.remove(*this);
    granted = true;
  }
  /// What `await_suspend` returns: the wait ends at once if it is `complete`, and otherwise begins, unless the task is
  /// cancelled.
  [[nodiscard]] bool wait_unless(bool complete, wait_state& task, wait_list& queue) noexcept;

  /// The only one that takes the lock itself: leaves the queue. False if the node is not in the queue.
  [[nodiscard]] bool withdraw_from(brief_lock& lock, wait_list& queue) noexcept {
    const std::scoped_lock guard(lock);
    if (granted) return false;
    leave(queue);
    return true;
  }

  /// The first node that could be claimed, still in the queue; nullptr if there is none.
  static queued_wait* claim_first(wait_list& queue) noexcept {
    while (auto* first = static_cast<queued_wait*>(queue.front())) {
      if (first->claim()) return first;
      first->leave(queue);
    }
    return nullptr;
  }
  /// The same, but removes the node from the queue; the caller must wake it.
  static queued_wait* grant_first(wait_list& queue) noexcept {
    queued_wait* first = claim_first(queue);
    if (first != nullptr) first->leave(queue);
    return first;
  }

 private:
  /// The task's own link to the node it is suspended on: it changes only after the task has removed its nodes from all
  /// queues.
  [[nodiscard]] select_core& core() const noexcept {
    return static_cast<select_core&>(*from_link<wait_node>(from_link<wait_state>(owner)->prev));
  }
};
static_assert(sizeof(queued_wait) == 40);

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

inline bool queued_wait::wait_unless(bool complete, wait_state& task, wait_list& queue) noexcept {
  if (complete) return current_shard->end_at_once(task);
  if (const auto refused = refuse_if_cancelled(task)) return *refused;
  begin(task);
  queue.push_back(*this);
  return true;
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
  /// `claimed` comes from `claim_first`.
  void grant(queued_wait& claimed, wait_list& queue) noexcept {
    claimed.leave(queue);
    granted_ = &claimed;
  }

 private:
  queued_wait* granted_ = nullptr;
};

/// Nodes removed under a lock, to be woken after unlocking.
class wake_list {
 public:
  void push(queued_wait& granted) noexcept { granted_.push_back(granted); }
  /// All nodes of a queue, in constant time, for a primitive whose waiters find out by its state that they have been
  /// granted what they wait for. The list must be empty.
  void take(wait_list& queue) noexcept { granted_ = std::exchange(queue, wait_list()); }
  /// Each node may be destroyed as soon as it is woken.
  void wake_all() noexcept {
    while (wait_node* next = granted_.pop_front()) wake(*next);
  }

 private:
  wait_list granted_;
};

/// What an arm of a select wakes after unlocking: one node, or many.
class select_wakes : public wake_last {
 public:
  select_wakes() = default;
  select_wakes(const select_wakes&) = delete;
  select_wakes& operator=(const select_wakes&) = delete;
  ~select_wakes() { all.wake_all(); }
  wake_list all;
};

}  // namespace tare::detail
