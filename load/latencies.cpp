#include "load/latencies.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tare::load {

std::size_t latencies::bucket_of(std::uint64_t value) noexcept {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= precision_bits + 1) return value;
  const unsigned shift = width - precision_bits - 1;
  return (std::size_t{shift} << precision_bits) + (value >> shift);
}

std::uint64_t latencies::largest_in(std::size_t bucket) noexcept {
  if (bucket < std::size_t{2} << precision_bits) return bucket;
  const std::size_t shift = (bucket >> precision_bits) - 1;
  const std::uint64_t first = bucket - (shift << precision_bits);
  return ((first + 1) << shift) - 1;
}

void latencies::add(std::chrono::nanoseconds latency) noexcept {
  constexpr std::int64_t most = (std::int64_t{1} << max_bits) - 1;
  const std::int64_t value = std::clamp<std::int64_t>(latency.count(), 0, most);
  ++counts_[bucket_of(static_cast<std::uint64_t>(value))];
  ++count_;
  longest_ = std::max(longest_, latency);
}

std::chrono::nanoseconds latencies::percentile(double share) const noexcept {
  if (count_ == 0) return {};
  const auto wanted = std::max(1.0, std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    seen += counts_[bucket];
    if (static_cast<double>(seen) >= wanted) {
      return std::min(std::chrono::nanoseconds(largest_in(bucket)), longest_);
    }
  }
  return longest_;
}

}  // namespace tare::load
