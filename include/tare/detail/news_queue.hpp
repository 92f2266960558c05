#pragma once

// The waiters of a primitive that wakes all of them at once; each then asks the primitive what has changed.
//
// Tasks that wait for nothing else are removed together, in constant time, so their nodes are not marked as granted:
// `has_news` of the primitive is true from then on. The waits of a `select` must be claimed one by one, so they have a
// queue of their own.

#include <tare/detail/cursor.hpp>
#include <tare/detail/queued_wait.hpp>

namespace tare::detail {

/// 16 bytes. Everything requires the lock of the primitive.
class news_queue {
 public:
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty() && selecting_.empty(); }

  void push_back(queued_wait& node) noexcept { queue_of(node).push_back(node); }

  /// Moves all nodes that could be claimed into `woken`. None may be waiting if `woken` is not empty.
  void take_all(wake_list& woken) noexcept {
    if (!waiting_.empty()) woken.take(waiting_);
    while (queued_wait* next = queued_wait::grant_first(selecting_)) woken.push(*next);
  }

  /// Removes the node of a wait that gives up. False if it is not in the queue.
  [[nodiscard]] bool withdraw(queued_wait& node, cursor& receiver, bool has_news) noexcept {
    // Whoever claimed its select first has left the cursor as it was.
    if (node.in_select) receiver.end_waiting();
    if (node.granted || (has_news && !node.in_select)) return false;
    node.leave(queue_of(node));
    receiver.end_waiting();
    return true;
  }

 private:
  [[nodiscard]] wait_list& queue_of(const queued_wait& node) noexcept { return node.in_select ? selecting_ : waiting_; }

  wait_list waiting_;
  wait_list selecting_;
};

}  // namespace tare::detail
