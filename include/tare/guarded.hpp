#pragma once

// A mutex that holds the data it protects: the data cannot be reached without the lock.
//
//   tare::guarded<std::map<int, user>> users;
//   auto locked = co_await users.lock();
//   locked->emplace(7, user{});
//
// **Bytes** The value and 24; 80 in a waiting frame; a guard 24.

#include <tare/detail/misuse.hpp>
#include <tare/detail/timed_wait.hpp>
#include <tare/mutex.hpp>
#include <tare/semaphore.hpp>
#include <tare/sleep.hpp>

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

namespace tare {

/// Must outlive its guards and waiters: the destructor aborts the program if a task waits.
template <class T>
class guarded {
 public:
  class guard;
  class lock_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] lock_request {
    using tare_awaiter = lock_awaiter;
    guarded& of;
  };

  /// Constructs the value from `arguments`.
  template <class... Args>
    requires std::is_constructible_v<T, Args&&...>
  explicit guarded(Args&&... arguments) : value_(std::forward<Args>(arguments)...) {}
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  ~guarded() = default;

  /// Waits for the lock and returns a `guard`, which gives access to the value and unlocks when destroyed.
  ///
  /// **Errors** None. **Cancellation** A cancelled wait has not locked. **Threads** Any shard. **Bytes** 80 in the
  /// frame.
  lock_request lock() noexcept { return {*this}; }
  /// An empty guard if the value is locked. Any thread.
  guard try_lock() noexcept { return guard(lock_.try_acquire(1), value_); }
  /// Waits for at most `time`; then returns an empty guard.
  ///
  /// **Errors** None. **Cancellation** A cancelled wait has not locked. **Threads** Any shard. **Bytes** 120 in the
  /// frame.
  template <class Rep, class Period>
  auto try_lock_for(std::chrono::duration<Rep, Period> time) noexcept {
    return detail::timed_request<lock_request>{.wait = lock(), .nanoseconds = detail::saturated_nanoseconds(time)};
  }

 private:
  semaphore lock_{1};
  T value_;
};

/// The lock and access to the value. Move-only. Using the value without the lock aborts the program.
template <class T>
class [[nodiscard("the lock is released when its guard is destroyed")]] guarded<T>::guard {
 public:
  guard() noexcept = default;

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(permit_); }
  [[nodiscard]] T& operator*() const noexcept {
    if (!permit_) [[unlikely]]
      detail::misuse("guarded::guard: the value is used without the lock: check the guard of a try_lock first");
    return *value_;
  }
  [[nodiscard]] T* operator->() const noexcept { return std::addressof(**this); }

  /// Unlocks now.
  void release() noexcept { permit_.release(); }
  /// For `condition_variable::wait`.
  [[nodiscard]] mutex::guard& mutex_guard() noexcept { return permit_; }

 private:
  friend class guarded;
  guard(semaphore_permit permit, T& value) noexcept : permit_(std::move(permit)), value_(std::addressof(value)) {}

  semaphore_permit permit_;
  T* value_ = nullptr;
};

template <class T>
class guarded<T>::lock_awaiter : public semaphore::acquire_awaiter {
 public:
  lock_awaiter(lock_request request, detail::wait_state& task) noexcept
      : acquire_awaiter({.from = request.of.lock_, .count = 1}, task), of_(request.of) {}

  // NOLINTBEGIN(bugprone-derived-method-shadowing-base-method): the compiler and timed_wait call these on this type
  guard await_resume() { return guard(acquire_awaiter::await_resume(), of_.value_); }
  static guard none() noexcept { return guard(); }
  // NOLINTEND(bugprone-derived-method-shadowing-base-method)

 private:
  guarded& of_;
};

}  // namespace tare
