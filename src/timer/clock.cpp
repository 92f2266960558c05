#include "timer/clock.hpp"

#include "timer/virtual_time.hpp"

#include <chrono>

namespace tare::detail {

std::int64_t clock::now() noexcept {
  if (simulated_ != nullptr) return simulated_->now();
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::int64_t clock::not_before() noexcept {
  if (simulated_ != nullptr) return simulated_->now();
#if defined(__x86_64__)
  const std::uint64_t cycles = __builtin_ia32_rdtsc();
  // A counter that has gone backwards, for example on another processor, looks like one that is far ahead.
  if (cycles - read_at_ < fresh_cycles_) return read_ + late_by;
  return read_anew(cycles);
#else
  return now();
#endif
}

std::int64_t clock::read_anew(std::uint64_t cycles) noexcept {
  constexpr std::int64_t min_for_rate = 1'000'000;
  read_ = now();
  read_at_ = cycles;
  if (const std::int64_t passed = read_ - rate_from_; passed >= min_for_rate) {
    // Over hours the product would overflow, and a new rate is as good as that of the last hour.
    constexpr std::int64_t max_for_rate = 1'000'000'000;
    const bool known = counts_cycles && passed <= max_for_rate && cycles > rate_at_;
    fresh_cycles_ = known ? (cycles - rate_at_) * (late_by / 2) / static_cast<std::uint64_t>(passed) : 0;
    rate_from_ = read_;
    rate_at_ = cycles;
  }
  return read_;
}

}  // namespace tare::detail
