#pragma once

// A task that runs on a different shard than its waiter.
//
// Only its own shard accesses a wait state, so a scope or a group must not access a task that has moved away. Instead a
// stand-in on the home shard takes the task's place in the waiter's bookkeeping, and the shards exchange messages:
// "cancel" to the task, "ended" back home. A detached task needs none of this, because nothing waits for it.
//
// A visit begins when the task first moves and lasts until the task ends, even if the task returns home in between. It
// is a record of 128 bytes.

#include <tare/detail/branch.hpp>
#include <tare/detail/brief_lock.hpp>
#include <tare/detail/task_values.hpp>
#include <tare/detail/wait_state.hpp>

#include <atomic>
#include <exception>

namespace tare::detail {

class shard;

/// Links can only point to multiples of 8 bytes.
struct alignas(8) aligned_wait_state : wait_state {};

/// The visit itself is the stand-in.
class visit : public branch, public aligned_wait_state {
 public:
  /// Makes a stand-in, on the current shard, for `root`, which has a scope or a branch as its parent and becomes the
  /// child of the visit. Throws std::bad_alloc.
  static visit& begin(wait_state& root);
  /// The same for a task without a parent yet: the code that starts it gives the stand-in its parent.
  static visit& begin_without_parent(wait_state& root);

  /// The visit that `root` is on, or nullptr.
  [[nodiscard]] static visit* of(const wait_state& root) noexcept;
  /// Moves the chain of frames with the leaf `mail` to `target`. Nothing on this shard may access them afterwards.
  void move(wait_state& mail, shard& target) noexcept;

  /// On the home shard: returns the root if it is here, so that the caller can cancel it; otherwise sends a message to
  /// it.
  [[nodiscard]] wait_state* cancel_or_send() noexcept;

  /// Undoes begin_without_parent if the task is not started after all.
  void abandon() noexcept;

  /// What the task saw where it came from (task_local.hpp): it cannot look there any more.
  value_ref values;

  /// Handles a message; `mail` is of kind mail_cancel or mail_ended.
  static void receive(wait_state& mail) noexcept;

 private:
  explicit visit(wait_state& root) noexcept;
  static void task_ended(branch& self, std::exception_ptr error) noexcept;
  void finish() noexcept;
  void drop() noexcept;

  aligned_wait_state cancel_mail_;
  aligned_wait_state ended_mail_;
  brief_lock lock_;
  std::atomic<std::uint8_t> references_ = 1;  ///< one for the stand-in, and one for the cancel mail while in transit
  shard* home_;
  shard* location_;  ///< guarded by the lock; nullptr when the task has ended
  std::exception_ptr error_;
};

}  // namespace tare::detail
