#pragma once

// Ticks at a fixed period, without drift.
//
//   tare::interval every(1s);
//   for (;;) {
//     co_await every.tick();
//     report();
//   }
//
// **Errors** The constructors throw std::invalid_argument unless the period is positive. **Cancellation** As for
// `sleep_until`; the tick counts as consumed. **Threads** Not thread-safe. **Bytes** 24.

#include <tare/sleep.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>

namespace tare {

/// What to do about ticks that were missed because the task was busy for longer than a period.
enum class missed_ticks : std::uint8_t {
  burst,  ///< deliver them immediately, one by one: as many ticks as periods
  skip,   ///< drop them; the next tick is at the next multiple of the period
  delay,  ///< the next tick comes one period after the late one, and so on
};

class interval {
 public:
  using clock = std::chrono::steady_clock;

  /// The first tick is one period from `tare::now()`.
  explicit interval(clock::duration period, missed_ticks policy = missed_ticks::burst)
      : interval(later(now(), period), period, policy) {}

  /// The first tick is at `first`.
  interval(clock::time_point first, clock::duration period, missed_ticks policy = missed_ticks::burst)
      : next_(first), period_(period), policy_(policy) {
    if (period <= clock::duration::zero()) throw std::invalid_argument("tare::interval: the period must be positive");
  }

  /// Waits for the next tick. Each call consumes one tick, so await the result.
  auto tick() noexcept {
    const clock::time_point present = now();
    const clock::time_point due = next_;
    next_ = later(next_, period_);
    if (next_ <= present) {
      if (policy_ == missed_ticks::skip) next_ = later(present - since_a_tick(present), period_);
      if (policy_ == missed_ticks::delay) next_ = later(present, period_);
    }
    return sleep_until(due);
  }

  /// When the next tick is due.
  [[nodiscard]] clock::time_point next() const noexcept { return next_; }

 private:
  /// Adds a positive duration, without exceeding the latest time point.
  [[nodiscard]] static clock::time_point later(clock::time_point time, clock::duration step) noexcept {
    const auto limit = clock::time_point::max();
    return step > clock::duration::zero() && time > limit - step ? limit : time + step;
  }
  /// Time since the most recent due tick: less than a period.
  [[nodiscard]] clock::duration since_a_tick(clock::time_point present) const noexcept {
    // Unsigned, because the time since the earliest time point may exceed the range of a duration.
    const auto since = static_cast<std::uint64_t>(present.time_since_epoch().count()) -
                       static_cast<std::uint64_t>(next_.time_since_epoch().count());
    return clock::duration(static_cast<clock::rep>(since % static_cast<std::uint64_t>(period_.count())));
  }

  clock::time_point next_;
  clock::duration period_;
  missed_ticks policy_;
};

}  // namespace tare
