#pragma once

// What a task waits on when it is neither asleep nor awaiting a single child: 40 bytes in the awaiting frame.
//
// Who owns a node when: while its task waits, the node may stand in the list of a primitive (a semaphore's, a
// channel's ...) under that primitive's lock. Whoever takes it out of that list, and only they, resumes the task: the
// primitive by `wake` when the wait is over, or the task's own shard by `give_up` when it is cancelled. So a permit is
// never handed to a task that was cancelled, and a wait that was over before the cancellation came counts as over.

#include <tare/detail/shard_state.hpp>

namespace tare::detail {

struct wait_node {
  /// Cancellation has reached the task. Called on its shard, while it waits. Must call `wake_here` with
  /// ready_cancelled, unless somebody else is about to wake the task or will when its children have ended.
  void (*give_up)(wait_node& self) noexcept = nullptr;
  shard_state* home = nullptr;
  link owner = no_link;  ///< the waiting task's wait state
  link next = no_link;   ///< in the primitive's list, or among the parents to be cancelled
  link prev = no_link;
  link next_of_shard = no_link;
  link prev_of_shard = no_link;

  /// Suspends `waiting` on this node. Before the node goes into any list: from then on it may be woken.
  void begin(wait_state& waiting) noexcept {
    home = current_shard;
    begin_at_home(waiting);
  }
  /// Likewise when `home` is known to be this shard: other threads may read it.
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

  /// Undoes `begin` when the task does not suspend after all.
  void end() noexcept {
    if (next_of_shard != no_link) from_link<wait_node>(next_of_shard)->prev_of_shard = prev_of_shard;
    if (prev_of_shard != no_link) {
      from_link<wait_node>(prev_of_shard)->next_of_shard = next_of_shard;
    } else {
      home->nodes = next_of_shard;
    }
    from_link<wait_state>(owner)->set_kind(wait_kind::none);
  }

  /// On the task's own shard: puts it into the run queue.
  void wake_here(wait_kind how) noexcept {
    end();
    home->make_ready(*from_link<wait_state>(owner), how);
  }
};

/// Ends the wait of `node`'s task, from any thread. The node may be gone when this returns.
void wake(wait_node& node) noexcept;

/// First-in first-out list of nodes, guarded by the lock of the primitive that it is part of. 8 bytes.
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

/// A node whose task waits for tasks of its own, which cancellation has to reach.
struct waiting_parent : wait_node {
  /// Cancels those tasks. Their number bounds its cost.
  void (*cancel_children)(waiting_parent& self) noexcept = nullptr;
  bool cancelling = false;  ///< is, or was, in the shard's list of parents to be cancelled
};

/// Marks `task` and all that it awaits as cancelled and ends the wait that it is in, if it is in one. On the task's
/// shard. Nested scopes are worked through one after the other: the depth of the tree does not show on the stack.
void cancel(wait_state& task) noexcept;

/// Likewise for all tasks of a parent.
void cancel_children(waiting_parent& parent) noexcept;

}  // namespace tare::detail
