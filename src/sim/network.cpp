#include "sim/network.hpp"

#include <algorithm>

namespace tare::sim::detail {

namespace {

constexpr std::uint64_t purpose = 4;
constexpr std::size_t largest_segment = 16'384;

}  // namespace

network::network(std::uint64_t seed) : random_(seed, purpose), cutting_(static_cast<cutting>(random_.below(3))) {}

link_quality& network::between(const machine& from, const machine& to) {
  return links_.try_emplace({&from, &to}, usual).first->second;
}

std::int64_t network::delay(const machine& from, const machine& to) {
  if (&from == &to) return 10'000 + static_cast<std::int64_t>(random_.below(5'000));
  const link_quality& link = between(from, to);
  std::int64_t time = link.latency;
  if (link.jitter > 0) time += static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(link.jitter)));
  return time;
}

std::int64_t network::spacing(const machine& from, const machine& to, std::size_t bytes) {
  const link_quality& link = between(from, to);
  if (link.bytes_per_second <= 0) return 100;
  return static_cast<std::int64_t>(bytes) * 1'000'000'000 / link.bytes_per_second;
}

std::size_t network::segment_of(std::size_t bytes) {
  const std::size_t most = std::min(bytes, largest_segment);
  switch (cutting_) {
    case cutting::rarely:
      return random_.once_in(16) ? 1 + random_.below(most) : most;
    case cutting::often:
      return 1 + random_.below(most);
    default:
      // Single bytes, but not for long, because that would only take time.
      return random_.once_in(32) ? most : std::min<std::size_t>(most, 1 + random_.below(3));
  }
}

std::size_t network::accepted_of(std::size_t bytes) {
  return cutting_ != cutting::rarely && random_.once_in(8) ? 1 + random_.below(bytes) : bytes;
}

}  // namespace tare::sim::detail
