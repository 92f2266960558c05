#pragma once

// Moving to another shard.
//
//   co_await tare::resume_on(2);                 // the next line runs on shard 2
//
// The whole task moves, with all frames of its current chain of awaits; the frames stay where they are in memory.
// Scopes do not move, because they belong to the shard that made them; branches of `when_all` and the like move
// individually.
//
// **Errors** Throws std::out_of_range if the shard does not exist, and std::bad_alloc; the task then stays where it is.
// **Cancellation** Not a cancellation point, because cleanup may have to return to its shard. **Threads** Call it from
// a task. **Bytes** None in the frame. A task that a scope or a branch waits for holds a record of 128 bytes from its
// first move to its end.

#include <tare/detail/promise.hpp>
#include <tare/shard_id.hpp>

#include <coroutine>

namespace tare {

namespace detail {

/// Out of line (src/sched/current.cpp). True if the task was suspended.
[[nodiscard]] bool move_to(wait_state& leaf, shard_id number);

class resume_on_awaiter;

struct [[nodiscard("nothing happens until it is awaited")]] resume_on_request {
  using tare_awaiter = resume_on_awaiter;
  shard_id shard;
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
  shard_id shard_;
};

}  // namespace detail

/// Continues on that shard of the runtime; immediately if it is the current one.
constexpr detail::resume_on_request resume_on(shard_id shard) noexcept { return {shard}; }

}  // namespace tare
