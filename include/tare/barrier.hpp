#pragma once

// A point that tasks reach together, again and again: none passes before all have arrived.
//
//   tare::barrier round(4);                       // four tasks
//   for (int i = 0; i < rounds; ++i) {
//     compute(part);
//     if (co_await round.arrive_and_wait()) exchange_results();   // true for one of the four
//   }
//
// **Bytes** A barrier is 20, a waiting task's frame holds 64.

#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timed_wait.hpp>

#include <coroutine>
#include <cstdint>

namespace tare {

/// Must outlive its waiters: the destructor aborts the program if a task waits. A resumed waiter may destroy it, even
/// if the call that woke the waiter has not returned.
class barrier {
 public:
  class arrive_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] arrive_request {
    using tare_awaiter = arrive_awaiter;
    barrier& at;
  };

  /// `tasks` must arrive before any of them continues.
  explicit barrier(std::uint32_t tasks) noexcept : expected_(tasks) {}
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;
  ~barrier() { detail::require_no_waiter(waiters_.queue, "barrier::~barrier: a task waits for it: let it end first"); }

  /// Waits until all tasks have arrived; then the next round begins. Returns true for exactly one of them.
  ///
  /// **Errors** Aborts the program if more tasks arrive than are expected. **Cancellation** A cancelled arrival does
  /// not count: the others wait until another task arrives, or until the cancelled task calls `arrive_and_drop`.
  /// **Threads** Any shard. **Bytes** 64 in the frame.
  arrive_request arrive_and_wait() noexcept { return {*this}; }

  /// One task fewer is expected, in this round and in all later ones. Completes the round if all others have arrived.
  ///
  /// **Errors** Aborts the program if no more task is expected. **Threads** Any.
  void arrive_and_drop() noexcept;

 private:
  void complete_round(detail::wake_list& woken) noexcept;

  detail::waiters waiters_;
  std::uint32_t expected_;
  std::uint32_t waiting_ = 0;
};

class barrier::arrive_awaiter : public detail::queued_wait {
 public:
  arrive_awaiter(arrive_request request, detail::wait_state& /*task*/) noexcept : at_(request.at) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  [[nodiscard]] bool await_resume() const {
    detail::current_shard->throw_if_cancelled();
    return last_;
  }
  [[nodiscard]] bool withdraw() noexcept;

 private:
  friend class barrier;
  [[nodiscard]] bool suspend(detail::wait_state& task) noexcept;

  barrier& at_;
  bool last_ = false;
};

}  // namespace tare
