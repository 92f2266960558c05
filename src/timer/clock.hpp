#pragma once

// The time of one shard, in nanoseconds since the steady clock's epoch.

#include <cstdint>

namespace tare::detail {

class virtual_time;

class clock {
 public:
  /// The real clock, or the runtime's virtual one.
  explicit clock(const virtual_time* simulated) noexcept : simulated_(simulated) {}

  [[nodiscard]] std::int64_t now() noexcept;

  /// A time between the present and `late_by` later, from which a deadline may count. In a series of calls, most cost a
  /// third of `now`, which itself is a third of the cost of starting a task and putting it to sleep.
  [[nodiscard]] std::int64_t not_before() noexcept;

  static constexpr std::int64_t late_by = 100'000;

  /// False in simulations (src/sim/): no time may come from the processor.
  static inline constinit bool counts_cycles = true;

 private:
  [[nodiscard]] std::int64_t read_anew(std::uint64_t cycles) noexcept;

  const virtual_time* simulated_;
  // The clock was `read_` when the processor's cycle counter was `read_at_` or more. The counter is trusted only for
  // `fresh_cycles_`, which is half of `late_by` at the rate measured since `rate_at_`.
  std::int64_t read_ = 0;
  std::uint64_t read_at_ = 0;
  std::uint64_t fresh_cycles_ = 0;
  std::int64_t rate_from_ = 0;
  std::uint64_t rate_at_ = 0;
};

inline constexpr std::int64_t nanoseconds_per_tick = 1'000'000;

/// The first tick at or after a time.
[[nodiscard]] constexpr std::uint64_t tick_at_or_after(std::int64_t nanoseconds) noexcept {
  const auto ticks = nanoseconds / nanoseconds_per_tick;
  return static_cast<std::uint64_t>(ticks + (nanoseconds % nanoseconds_per_tick > 0 ? 1 : 0));
}

/// The tick that contains a time.
[[nodiscard]] constexpr std::uint64_t tick_of(std::int64_t nanoseconds) noexcept {
  return static_cast<std::uint64_t>(nanoseconds / nanoseconds_per_tick);
}

// Deadlines are at most this late, 291 years after the clock's epoch, so that no arithmetic with them overflows, nor
// with what the wheel makes of them, which rounds up by a millionth.
inline constexpr std::int64_t end_of_time = INT64_MAX / 1024 * 1023;
// Later deadlines never expire.
inline constexpr std::int64_t never = INT64_MAX / 4096 * 4095;
inline constexpr auto never_tick = static_cast<std::uint64_t>(INT64_MAX / 2048 * 2047 / nanoseconds_per_tick);

/// `present` and `nanoseconds`, which is not negative, later.
[[nodiscard]] constexpr std::int64_t deadline_after(std::int64_t present, std::int64_t nanoseconds) noexcept {
  if (nanoseconds <= end_of_time - present) return present + nanoseconds;
  return present < end_of_time ? end_of_time : never;
}

}  // namespace tare::detail
