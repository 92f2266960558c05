#include <tare/rate_limiter.hpp>

#include <tare/detail/random.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace tare::detail {

namespace {

constexpr double max_per_second = 1e6;
constexpr std::int64_t second = 1'000'000'000;
/// Longer pauses would exceed the clock.
constexpr std::int64_t max_interval = std::int64_t{3600} * 24 * 365 * second;

}  // namespace

rate_rule::rate_rule(const rate_limit& limit) : burst_(limit.burst) {
  if (!(limit.per_second > 0 && limit.per_second <= max_per_second)) {
    throw std::invalid_argument("tare::rate_limiter: per_second must be above 0 and at most 1,000,000");
  }
  if (limit.burst == 0) throw std::invalid_argument("tare::rate_limiter: burst must be at least 1");
  const double interval = static_cast<double>(second) / limit.per_second;
  if (interval > static_cast<double>(max_interval) / limit.burst) {
    throw std::invalid_argument("tare::rate_limiter: the whole burst must be available after at most a year");
  }
  interval_ = std::llround(interval);
}

std::chrono::nanoseconds rate_rule::take(std::int64_t& full_at, std::int64_t present, std::uint32_t count) const {
  if (count > burst_) throw std::invalid_argument("tare::rate_limiter::try_take: count exceeds the burst");
  const std::int64_t next = std::max(full_at, present) + interval_ * count;
  const std::int64_t missing = next - present - interval_ * burst_;
  if (missing > 0) return std::chrono::nanoseconds(missing);
  full_at = next;
  return std::chrono::nanoseconds::zero();
}

std::size_t row_of(std::size_t hash, std::uint64_t seed, std::size_t rows) noexcept {
  // The finalizer of MurmurHash3, because std::hash of a number is the number.
  std::uint64_t mixed = hash ^ seed;
  mixed = (mixed ^ (mixed >> 33U)) * 0xff51afd7ed558ccdU;
  mixed = (mixed ^ (mixed >> 33U)) * 0xc4ceb9fe1a85ec53U;
  return static_cast<std::size_t>((mixed >> 32U) * rows >> 32U);
}

std::uint64_t random_seed() noexcept {
  constexpr std::uint64_t half = std::uint64_t{1} << 32U;
  return (std::uint64_t{random_below(half)} << 32U) | random_below(half);
}

}  // namespace tare::detail
