#pragma once

// Latencies counted in buckets whose width grows with the value, so that memory is independent of their number and
// every percentile is accurate to one part in a thousand: the layout of Gil Tene's HdrHistogram.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tare::load {

/// From 1 ns to 4.8 hours; 224 KiB.
class latencies {
 public:
  void add(std::chrono::nanoseconds latency) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::chrono::nanoseconds longest() const noexcept { return longest_; }
  /// At most a fraction of 1 - `share` took longer; `share` is from 0 to 1. Zero if nothing was counted.
  [[nodiscard]] std::chrono::nanoseconds percentile(double share) const noexcept;

 private:
  // Values below 2^11 have a bucket each; every further power of two has 2^10.
  static constexpr unsigned precision_bits = 10;
  static constexpr unsigned max_bits = 44;
  static constexpr std::size_t buckets = (max_bits - precision_bits + 1) << precision_bits;

  [[nodiscard]] static std::size_t bucket_of(std::uint64_t value) noexcept;
  [[nodiscard]] static std::uint64_t largest_in(std::size_t bucket) noexcept;

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds longest_{0};
};

}  // namespace tare::load
