#pragma once

// Waiting, without the lock, for a condition on data that a mutex protects.
//
//   auto guard = co_await m.lock();
//   while (queue.empty()) co_await filled.wait(guard);
//   auto job = take(queue);
//
//   queue.push(x);                                        // elsewhere, with the lock
//   filled.notify_one();                                  // with or without it
//
// A notified task goes directly into the queue of the mutex, so notifying many tasks does not make them compete for it.
// Check the condition in a loop: between the notification and the lock, another task may have changed the data.
//
// **Bytes** A condition_variable is 12, a waiting task's frame holds 96, with a time limit 152.

#include <tare/detail/queued_wait.hpp>
#include <tare/detail/timer_node.hpp>
#include <tare/mutex.hpp>
#include <tare/semaphore.hpp>
#include <tare/sleep.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>

namespace tare {

/// Must outlive its waiters: the destructor aborts the program if a task waits. A resumed waiter may destroy it, even
/// if the call that woke the waiter has not returned.
class condition_variable {
 public:
  class wait_awaiter;
  class wait_for_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] wait_request {
    using tare_awaiter = wait_awaiter;
    condition_variable& on;
    mutex::guard& held;
  };
  struct [[nodiscard("nothing happens until it is awaited")]] wait_for_request {
    using tare_awaiter = wait_for_awaiter;
    wait_request wait;
    std::int64_t nanoseconds;
  };

  condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;
  ~condition_variable() {
    detail::require_no_waiter(waiters_.queue,
                              "condition_variable::~condition_variable: a task waits for it: let it end first");
  }

  /// Unlocks, waits for a notification, and locks again; no notification is missed in between. `held` must be a guard
  /// of a `mutex` (for a `guarded` value: `guard::mutex_guard`), and must exist until the wait ends.
  ///
  /// **Errors** Aborts the program if `held` is empty. **Cancellation** A cancelled wait throws with `held` empty: the
  /// mutex is not locked. If the task had been notified by `notify_one`, the notification goes to the next waiting
  /// task.
  /// **Threads** Any shard. **Bytes** 96 in the frame.
  wait_request wait(mutex::guard& held) noexcept { return {.on = *this, .held = held}; }

  /// The same, for at most `time`: returns false if it has passed without a notification. Either way the mutex is
  /// locked again, and the wait for that has no limit.
  ///
  /// **Errors**, **Cancellation**, **Threads** As for `wait`. **Bytes** 152 in the frame.
  template <class Rep, class Period>
  wait_for_request wait_for(mutex::guard& held, std::chrono::duration<Rep, Period> time) noexcept {
    return {.wait = wait(held), .nanoseconds = detail::saturated_nanoseconds(time)};
  }

  /// Wakes the task that has waited longest, if any. **Threads** Any, with or without the mutex.
  void notify_one() noexcept;
  /// Wakes all waiting tasks. **Threads** As for `notify_one`.
  void notify_all() noexcept;

 private:
  enum class stage : std::uint8_t { waiting, notified, notified_among_all, timed_out, cancelled };

  /// Moves a waiter that has left the queue to the queue of its mutex. False if it has the mutex. Requires the lock.
  [[nodiscard]] static bool move_on(wait_awaiter& waiter, stage to) noexcept;

  detail::waiters waiters_;
};

// NOLINTBEGIN(bugprone-derived-method-shadowing-base-method): the compiler calls the functions of these types
class condition_variable::wait_awaiter : public semaphore::acquire_awaiter {
 public:
  wait_awaiter(wait_request request, detail::wait_state& task) noexcept;

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  /// Not for `select`: a wait that is not chosen would have to lock the mutex again.
  bool try_now(detail::wake_last& woken) = delete;
  void await_resume();

 private:
  friend class condition_variable;
  [[nodiscard]] bool suspend(detail::wait_state& task) noexcept;
  static void give_up_wait(detail::wait_node& node) noexcept;

  condition_variable& on_;
  mutex::guard& held_;
  stage stage_ = stage::waiting;  ///< guarded by the condition variable's lock
};

class condition_variable::wait_for_awaiter : public wait_awaiter, private detail::timer_node {
 public:
  wait_for_awaiter(wait_for_request request, detail::wait_state& task) noexcept;

  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    if (!wait_awaiter::await_suspend(self)) return false;
    const detail::wait_state& task = self.promise();
    if (task.kind() == detail::wait_kind::node) detail::arm(*this, nanoseconds_);
    return true;
  }
  [[nodiscard]] bool await_resume();

 private:
  static void time_is_up(detail::timer_node& timer) noexcept;

  std::int64_t nanoseconds_;
};
// NOLINTEND(bugprone-derived-method-shadowing-base-method)

}  // namespace tare
