#pragma once

// What a task waits on when it is neither asleep nor awaiting a single child: 40 bytes in the awaiting frame.
//
// Ownership: while its task waits, the node may be in the list of a primitive (a semaphore, a channel ...), guarded by
// that primitive's lock. The code that removes the node from the list resumes the task, and no other code does: the
// primitive calls `wake` when the wait is over, or the task's own shard calls `give_up` when the task is cancelled.
// Therefore a cancelled task never receives a permit, and a wait that ended before the cancellation counts as
// completed.

#include <tare/detail/shard_state.hpp>

namespace tare::detail {

struct wait_node {
  /// Called on the task's shard when cancellation reaches the waiting task. Must call `wake_here` with ready_cancelled,
  /// unless the task is about to be woken otherwise, or will be when its children have ended.
  void (*give_up)(wait_node& self) noexcept = nullptr;
  shard_state* home = nullptr;
  link owner = no_link;  ///< the waiting task's wait state
  link next = no_link;   ///< in the primitive's list, or in the list of parents to be cancelled
  link prev = no_link;
  link next_of_shard = no_link;
  link prev_of_shard = no_link;

  /// Suspends `waiting` on this node. Call it before the node is inserted into a list, because from then on it may be
  /// woken.
  void begin(wait_state& waiting) noexcept {
    home = current_shard;
    begin_at_home(waiting);
  }
  /// The same if `home` is known to be this shard; other threads may read it.
  void begin_at_home(wait_state& waiting) noexcept {
    owner = to_link(&waiting);
    const link self = to_link(this);
    waiting.prev = self;
    waiting.set_kind(wait_kind::node);
    prev_of_shard = no_link;
    next_of_shard = home->nodes;
    if (next_of_shard != no_link) from_link<wait_node>(next_of_shard)->prev_of_shard = self;
    home->nodes = self;
  }

  /// Undoes `begin` if the task does not suspend after all.
  void end() noexcept {
    if (next_of_shard != no_link) from_link<wait_node>(next_of_shard)->prev_of_shard = prev_of_shard;
    if (prev_of_shard != no_link) {
      from_link<wait_node>(prev_of_shard)->next_of_shard = next_of_shard;
    } else {
      home->nodes = next_of_shard;
    }
    from_link<wait_state>(owner)->set_kind(wait_kind::none);
  }

  /// Queues the task. Call it on the task's own shard.
  void wake_here(wait_kind how) noexcept {
    end();
    home->make_ready(*from_link<wait_state>(owner), how);
  }
};

/// Ends the wait of `node`'s task, from any thread. The node may already be destroyed when this returns.
void wake(wait_node& node) noexcept;

/// First-in first-out list of nodes, guarded by the lock of the primitive that contains it. 8 bytes.
class wait_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == no_link; }
  [[nodiscard]] wait_node* front() const noexcept { return empty() ? nullptr : from_link<wait_node>(head_); }

  void push_back(wait_node& node) noexcept {
    const link self = to_link(&node);
    node.next = no_link;
    node.prev = tail_;
    if (tail_ == no_link) {
      head_ = self;
    } else {
      from_link<wait_node>(tail_)->next = self;
    }
    tail_ = self;
  }

  void remove(wait_node& node) noexcept {
    if (node.prev == no_link) {
      head_ = node.next;
    } else {
      from_link<wait_node>(node.prev)->next = node.next;
    }
    if (node.next == no_link) {
      tail_ = node.prev;
    } else {
      from_link<wait_node>(node.next)->prev = node.prev;
    }
    node.next = node.prev = no_link;
  }

  [[nodiscard]] wait_node* pop_front() noexcept {
    wait_node* first = front();
    if (first != nullptr) remove(*first);
    return first;
  }

 private:
  link head_ = no_link;
  link tail_ = no_link;
};

/// A node whose task waits for child tasks, which cancellation must reach.
struct waiting_parent : wait_node {
  /// Cancels those tasks. Costs at most O(tasks).
  void (*cancel_children)(waiting_parent& self) noexcept = nullptr;
  bool cancelling = false;  ///< is or was in the shard's list of parents to be cancelled
};

/// Marks `task` and everything it awaits as cancelled, and ends its current wait, if any. Call it on the task's shard.
/// Nested scopes are processed iteratively, so the depth of the tree does not affect the stack.
void cancel(wait_state& task) noexcept;

/// The same for all tasks of a parent.
void cancel_children(waiting_parent& parent) noexcept;

}  // namespace tare::detail
