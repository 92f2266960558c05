#pragma once

// Wakes one task, or all tasks, that wait for something to look at. It carries no value.
//
//   tare::notify more;
//   more.notify_one();                        // any thread; remembered, if no task waits
//   for (;;) {
//     co_await more.wait();
//     while (auto job = take_job()) run(*job);
//   }
//
// First come, first served. Bytes: a notify is 16, a waiting task's frame holds 56.

#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timed_wait.hpp>

#include <coroutine>
#include <utility>

namespace tare {

/// Must outlive its waiters: the destructor aborts the program if a task waits. A resumed waiter may destroy it, even
/// if the call that woke the waiter has not returned.
class notify {
 public:
  class wait_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] wait_request {
    using tare_awaiter = wait_awaiter;
    notify& on;
  };

  notify() noexcept = default;
  notify(const notify&) = delete;
  notify& operator=(const notify&) = delete;
  ~notify() { detail::require_no_waiter(waiters_.queue, "notify::~notify: a task waits for it: let it end first"); }

  /// Waits for a notification; returns immediately if one is remembered, and consumes it.
  ///
  /// **Errors** None. **Cancellation** A cancelled wait has consumed no notification; one that came first is delivered.
  /// **Threads** Any shard. **Bytes** 56 in the frame.
  wait_request wait() noexcept { return {*this}; }

  /// Wakes the task that has waited longest. If none waits, the next wait returns immediately; more than one such
  /// notification is remembered as one.
  ///
  /// **Threads** Any. The task resumes from its run queue, not inside the call.
  void notify_one() noexcept;

  /// Wakes all tasks that are waiting. Nothing is remembered for later waits.
  ///
  /// **Threads** As for `notify_one`.
  void notify_all() noexcept;

 private:
  detail::waiters waiters_;
  bool remembered_ = false;
};

class notify::wait_awaiter : public detail::queued_wait {
 public:
  wait_awaiter(wait_request request, detail::wait_state& /*task*/) noexcept : on_(request.on) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  static void await_resume() { detail::current_shard->throw_if_cancelled(); }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) noexcept { return std::exchange(on_.remembered_, false); }
  [[nodiscard]] bool enqueue() noexcept {
    on_.waiters_.queue.push_back(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return &on_.waiters_.lock; }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return withdraw_from(on_.waiters_.lock, on_.waiters_.queue); }

 private:
  [[nodiscard]] bool suspend(detail::wait_state& task) noexcept;

  notify& on_;
};

}  // namespace tare
