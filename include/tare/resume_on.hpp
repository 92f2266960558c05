#pragma once

// Moving to another shard.
//
//   co_await tare::resume_on(2);                 // the next line runs on shard 2
//
// The whole task moves, with every frame of the awaits it is in the middle of; its frames keep the memory they have.
// What stays behind: scopes, which belong to the shard they were made on, and `when_all` and such, whose branches move
// one by one. A task that a scope or a branch waits for takes a record of 128 bytes from its first move to its end.

#include <tare/detail/promise.hpp>

#include <coroutine>

namespace tare {

namespace detail {

/// Out of line (src/sched/current.cpp). True if the task was suspended.
[[nodiscard]] bool move_to(wait_state& leaf, unsigned number);

class resume_on_awaiter;

struct resume_on_request {
  using tare_awaiter = resume_on_awaiter;
  unsigned shard;
};

class resume_on_awaiter {
 public:
  resume_on_awaiter(resume_on_request request, wait_state& /*task*/) noexcept : shard_(request.shard) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    return move_to(self.promise(), shard_);
  }
  static void await_resume() noexcept {}

 private:
  unsigned shard_;
};

}  // namespace detail

/// Continues on that shard of the runtime; at once if it is the present one. Not a cancellation point: clean-up may
/// have to get home. Throws std::out_of_range if there is no such shard, and std::bad_alloc; then the task stays.
[[nodiscard]] constexpr detail::resume_on_request resume_on(unsigned shard) noexcept { return {shard}; }

}  // namespace tare
