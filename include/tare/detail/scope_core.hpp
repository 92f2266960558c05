#pragma once

// A scope's record of its tasks: their links, 4 bytes each, in chunks of 120 (the first chunk: 8).
//
// The task's wait state points back to its slot with a granularity of 8 bytes, that is, to a pair of slots; the task's
// slot is the one that holds its link. A slot is free if its bit in the chunk is 0, so leaving is O(1) and cancelling
// visits only chunks with tasks.

#include <tare/detail/wait_node.hpp>
#include <tare/shard_id.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

namespace tare::detail {

struct member_chunk;

/// The less loaded of two randomly chosen shards of the current runtime.
[[nodiscard]] shard_id less_loaded_shard();

class scope_core : public waiting_parent {
 public:
  explicit scope_core(bool collecting) noexcept;
  ~scope_core();
  scope_core(const scope_core&) = delete;
  scope_core& operator=(const scope_core&) = delete;

  /// Adds the task and queues it. If it throws std::bad_alloc, the task is unchanged.
  void adopt(wait_state& added);
  /// The same for the body, which `size` does not count.
  void adopt_body(wait_state& added);
  /// Adds the task and queues it on another shard of the runtime. Throws std::bad_alloc or std::out_of_range.
  void adopt_on(shard_id number, wait_state& added);

  /// The task that waits for the end of the tasks whose parents are `slots`; no_link if none does yet.
  [[nodiscard]] static link joiner_of(link slots) noexcept;

  /// Replaces `before` by `after` in its slot.
  static void replace(link slots, link before, link after) noexcept;

  /// Throws std::logic_error on a shard other than the scope's.
  void check_shard() const;
  /// The same, but aborts the program with a message that names `call`.
  void require_shard(const char* call) const noexcept;
  [[nodiscard]] bool is_here() const noexcept { return home == current_shard; }
  [[nodiscard]] shard_id shard_number() const noexcept;

  /// A task has ended and its frame has been destroyed; `slots` and `self` were its parent and its own link.
  static void task_ended(link slots, link self, std::exception_ptr error) noexcept;

  /// Cancels the tasks. Any thread.
  void cancel() noexcept;
  /// Cancels the tasks, and records `error` if it is the first (or all are collected).
  void fail(std::exception_ptr error) noexcept;

  /// True if there is nothing to wait for. Throws std::logic_error if another task is joining, or if called on another
  /// shard.
  [[nodiscard]] bool begin_join();
  /// Suspends `joiner` until no tasks remain.
  void wait_for_all(wait_state& joiner) noexcept {
    require_frame();
    begin_at_home(joiner);
    if (joiner.cancelled) detail::cancel_children(*this);
  }
  /// The join's result: throws the tasks' error, or else `cancelled` if the joining task was cancelled. Afterwards the
  /// scope is reusable.
  void finish_join();

  [[nodiscard]] std::size_t size() const noexcept { return size_ - (body_ != no_link ? 1 : 0); }

  /// A cancellation from another shard has arrived.
  static void receive_cancel(wait_state& mail) noexcept;

 private:
  void throw_errors();
  void cancel_here() noexcept;
  /// Links can only point into the arena. Aborts the program with a message if the scope is elsewhere.
  void require_frame() const noexcept;
  /// Returns only after a pending cancellation from another shard has arrived.
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
  bool joining_ = false;         ///< from the beginning of the join to its result
  bool chunks_changed_ = false;  ///< a chunk has become full since the walk over the chunks began
  std::size_t size_ = 0;
  link open_ = no_link;  ///< chunks with free slots
  link full_ = no_link;  ///< chunks without free slots
  link body_ = no_link;  ///< the body of with_scope, or its stand-in, until it has ended
  std::exception_ptr error_;
  std::unique_ptr<std::vector<std::exception_ptr>> more_errors_;  ///< used by a scope that collects
  struct alignas(8) aligned_mail : wait_state {
  } cancel_mail_;
};

}  // namespace tare::detail
