#pragma once

// A task that somebody waits for, on another shard than theirs.
//
// Wait states are touched by their own shard only, so a scope or a group must not reach into a task that has moved
// away. Instead a stand-in at home takes the task's place in the books of whoever waits for it, and messages go back
// and forth: "cancel" after the task, "ended" back home. A detached task needs none of this, as nobody waits for it.
//
// A visit begins when the task first moves and lasts until it ends, even if it comes home in between. It is a record
// of 128 bytes.

#include <tare/detail/branch.hpp>
#include <tare/detail/brief_lock.hpp>
#include <tare/detail/wait_state.hpp>

#include <atomic>
#include <exception>

namespace tare::detail {

class shard;

/// Links reach multiples of 8 bytes.
struct alignas(8) aligned_wait_state : wait_state {};

/// Is itself the stand-in.
class visit : public branch, public aligned_wait_state {
 public:
  /// Makes a stand-in, on the current shard, for `root`, which has a scope or a branch as its parent and becomes the
  /// child of the visit. Throws std::bad_alloc.
  static visit& begin(wait_state& root);
  /// Likewise for a task that no parent knows yet: whoever starts it gives the stand-in its parent.
  static visit& begin_without_parent(wait_state& root);

  /// The visit that `root` is on, or nullptr.
  [[nodiscard]] static visit* of(const wait_state& root) noexcept;
  /// Hands the chain of frames with the leaf `mail` over to `target`. After this nothing here may touch them.
  void move(wait_state& mail, shard& target) noexcept;

  /// At home: the root if it is here, so that the caller can cancel it; otherwise sends word after it.
  [[nodiscard]] wait_state* cancel_or_send_word() noexcept;

  /// Undoes begin_without_parent for a task that is not started after all.
  void abandon() noexcept;

  /// The messages' arrival; `mail` is of kind mail_cancel or mail_ended.
  static void receive(wait_state& mail) noexcept;

 private:
  explicit visit(wait_state& root) noexcept;
  static void task_ended(branch& self, std::exception_ptr error) noexcept;
  void finish() noexcept;
  void drop() noexcept;

  aligned_wait_state cancel_mail_;
  aligned_wait_state ended_mail_;
  brief_lock lock_;
  std::atomic<std::uint8_t> references_ = 1;  ///< the stand-in's, and the cancel mail's while it is under way
  shard* home_;
  shard* location_;  ///< guarded by the lock; nullptr when the task has ended
  std::exception_ptr error_;
};

}  // namespace tare::detail
