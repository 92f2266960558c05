#pragma once

// Sleeping. A sleeping task weighs its frame and nothing else: the wheel links the frames themselves.
//
//   co_await tare::sleep_for(std::chrono::milliseconds(5));
//
// The tick is 1 ms. A task wakes in the first tick at or after its deadline, never earlier. Deadlines more than 18.6
// hours away are rounded up by less than one part in a million.
//
// **Errors** None. **Cancellation** Wakes the task with `cancelled`. **Threads** The task's shard; `now` works on any
// thread. **Bytes** None in addition to the frame.

#include <tare/detail/promise.hpp>

#include <chrono>
#include <cstdint>
#include <limits>

namespace tare {

namespace detail {

/// In nanoseconds, rounded up, and limited to the 292 years that fit in 64 bits.
template <class Rep, class Period>
[[nodiscard]] constexpr std::int64_t saturated_nanoseconds(std::chrono::duration<Rep, Period> time) noexcept {
  using wide = std::chrono::duration<long double, std::nano>;
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  if (!(wide(time).count() > 0)) return 0;  // also for NaN
  if (wide(time).count() >= static_cast<long double>(most)) return most;
  return std::chrono::ceil<std::chrono::duration<std::int64_t, std::nano>>(time).count();
}

}  // namespace detail

/// Suspends the current task for at least `time`; zero or less moves it to the end of the run queue once. No sleep
/// extends beyond 291 years after the clock's epoch.
template <class Rep, class Period>
constexpr auto sleep_for(std::chrono::duration<Rep, Period> time) noexcept {
  return detail::sleep_request{.nanoseconds = detail::saturated_nanoseconds(time), .absolute = false};
}

/// Suspends the current task until `deadline`. With a virtual clock, compute deadlines from `tare::now()`.
inline auto sleep_until(std::chrono::steady_clock::time_point deadline) noexcept {
  return detail::sleep_request{.nanoseconds = detail::saturated_nanoseconds(deadline.time_since_epoch()),
                               .absolute = true};
}

/// The time of the current shard's clock; outside a task, of the steady clock.
[[nodiscard]] std::chrono::steady_clock::time_point now() noexcept;

/// Lets all other ready tasks of the shard run first. A cancellation point.
constexpr auto yield() noexcept { return detail::yield_request{}; }

}  // namespace tare
