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

 private:
  const virtual_time* simulated_;
};

inline constexpr std::int64_t nanoseconds_per_tick = 1'000'000;

/// The first tick at or after a time.
[[nodiscard]] constexpr std::uint64_t tick_at_or_after(std::int64_t nanoseconds) noexcept {
  const auto ticks = nanoseconds / nanoseconds_per_tick;
  return static_cast<std::uint64_t>(ticks + (nanoseconds % nanoseconds_per_tick > 0 ? 1 : 0));
}

/// The tick in which a time lies.
[[nodiscard]] constexpr std::uint64_t tick_of(std::int64_t nanoseconds) noexcept {
  return static_cast<std::uint64_t>(nanoseconds / nanoseconds_per_tick);
}

}  // namespace tare::detail
