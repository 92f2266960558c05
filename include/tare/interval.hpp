#pragma once

// Ticks at a fixed period, without drift.
//
//   tare::interval every(1s);
//   for (;;) {
//     co_await every.tick();
//     report();
//   }

#include <tare/sleep.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>

namespace tare {

/// What happens after ticks were missed because the task was busy for longer than a period.
enum class missed_ticks : std::uint8_t {
  burst,  ///< they follow at once, one by one: as many ticks as periods
  skip,   ///< they are left out; the next is the next multiple of the period
  delay,  ///< the next comes a period after the late one, and the others follow it
};

/// 24 bytes. Not thread-safe.
class interval {
 public:
  using clock = std::chrono::steady_clock;

  /// The first tick is one period from now, by the current shard's clock. Throws std::invalid_argument unless the
  /// period is positive.
  explicit interval(clock::duration period, missed_ticks policy = missed_ticks::burst)
      : interval(now() + period, period, policy) {}

  /// The first tick is at `first`.
  interval(clock::time_point first, clock::duration period, missed_ticks policy = missed_ticks::burst)
      : next_(first), period_(period), policy_(policy) {
    if (period <= clock::duration::zero()) throw std::invalid_argument("tare::interval: the period must be positive");
  }

  /// Waits for the next tick. Each call counts for one, so the result is to be awaited.
  [[nodiscard]] auto tick() noexcept {
    const clock::time_point present = now();
    const clock::time_point due = next_;
    next_ += period_;
    if (next_ <= present) {
      if (policy_ == missed_ticks::skip) next_ += (present - next_) / period_ * period_ + period_;
      if (policy_ == missed_ticks::delay) next_ = present + period_;
    }
    return sleep_until(due);
  }

  /// When the next tick is due.
  [[nodiscard]] clock::time_point next() const noexcept { return next_; }

 private:
  clock::time_point next_;
  clock::duration period_;
  missed_ticks policy_;
};

}  // namespace tare
