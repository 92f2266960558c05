#pragma once

// What a scope knows of its tasks: their links, 4 bytes each, in chunks of 120 (the first chunk: 8).
//
// The task's wait state points back at its slot, with 8-byte precision: the slot is one of a pair, the one that holds
// the task's link. A slot is free if its bit in the chunk is 0, so leaving is O(1) and cancelling visits only chunks
// that have tasks.

#include <tare/detail/wait_node.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

namespace tare::detail {

struct member_chunk;

class scope_core : public waiting_parent {
 public:
  explicit scope_core(bool collecting) noexcept;
  ~scope_core();
  scope_core(const scope_core&) = delete;
  scope_core& operator=(const scope_core&) = delete;

  /// Takes the task in and queues it. Throws std::bad_alloc; then the task is as before.
  void adopt(wait_state& added);
  /// Likewise for the task that `size` does not count.
  void adopt_body(wait_state& added);
  /// Takes the task in and queues it on another shard of the runtime. Throws std::bad_alloc or std::out_of_range.
  void adopt_on(unsigned number, wait_state& added);

  /// The slot that names `before` names `after` from now on.
  static void replace(link slots, link before, link after) noexcept;

  /// Throws std::logic_error on another shard than the scope's.
  void check_shard() const;
  /// Likewise, but ends the program with a message that names `call`.
  void require_shard(const char* call) const noexcept;
  [[nodiscard]] bool is_here() const noexcept { return home == current_shard; }
  [[nodiscard]] unsigned shard_number() const noexcept;

  /// A task has ended; its frame is gone, `slots` and `self` were its parent and its own link.
  static void task_ended(link slots, link self, std::exception_ptr error) noexcept;

  /// Cancels the tasks. Any thread.
  void cancel() noexcept;
  /// Cancels the tasks and remembers `error` as the scope's, if it is the first (or all are collected).
  void fail(std::exception_ptr error) noexcept;

  /// True if there is nothing to wait for. Throws std::logic_error if another task is joining, or on another shard.
  [[nodiscard]] bool begin_join();
  /// Suspends `joiner` until no task is left.
  void wait_for_all(wait_state& joiner) noexcept {
    require_frame();
    begin_at_home(joiner);
    if (joiner.cancelled) detail::cancel_children(*this);
  }
  /// The join's result: throws the tasks' error, or else `cancelled` if the joining task was cancelled. The scope is as
  /// new then.
  void finish_join();

  [[nodiscard]] std::size_t size() const noexcept { return size_ - (body_ != no_link ? 1 : 0); }

  /// The arrival of a cancellation from another shard.
  static void receive_cancel(wait_state& mail) noexcept;

 private:
  void throw_errors();
  void cancel_here() noexcept;
  /// Links reach only what lies in the arena. Ends the program with a message if the scope does not.
  void require_frame() const noexcept;
  /// A cancellation from elsewhere that is under way arrives before this returns.
  void await_cancel_mail() noexcept;
  void note(std::exception_ptr error) noexcept;
  void enter(wait_state& added);
  void leave(member_chunk& chunk, unsigned slot) noexcept;
  void unlink(member_chunk& chunk, link& list) noexcept;
  void link_to(member_chunk& chunk, link& list) noexcept;
  static void cancel_tasks(waiting_parent& self) noexcept;
  void cancel_chunks(link first) noexcept;

  std::atomic<bool> cancel_under_way_ = false;
  bool collecting_;
  bool joining_ = false;         ///< from the join's beginning to its result
  bool chunks_changed_ = false;  ///< a chunk has become full since the walk over them began
  std::size_t size_ = 0;
  link open_ = no_link;  ///< chunks with room
  link full_ = no_link;  ///< chunks without
  link body_ = no_link;  ///< the body of with_scope, or its stand-in, until it has ended
  std::exception_ptr error_;
  std::unique_ptr<std::vector<std::exception_ptr>> more_errors_;  ///< of a scope that collects
  struct alignas(8) aligned_mail : wait_state {
  } cancel_mail_;
};

}  // namespace tare::detail
