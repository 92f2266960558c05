#include "sim/trace.hpp"

#include <algorithm>
#include <string_view>

namespace tare::sim::detail {

namespace {

void mix(std::uint64_t& hash, std::uint64_t value) noexcept {
  hash = (hash ^ value) * 0x100000001b3U;
  hash ^= hash >> 29U;
}

}  // namespace

bool step::operator==(const step& other) const noexcept {
  return time == other.time && std::string_view(what) == other.what && fiber == other.fiber &&
         descriptor == other.descriptor && result == other.result;
}

void trace::add(const step& next) {
  mix(hash_, static_cast<std::uint64_t>(next.time));
  for (const char letter : std::string_view(next.what)) mix(hash_, static_cast<unsigned char>(letter));
  mix(hash_, next.fiber);
  mix(hash_, static_cast<std::uint32_t>(next.descriptor));
  mix(hash_, static_cast<std::uint64_t>(next.result));
  last_[count_ % max_last] = next;
  ++count_;
  if (kept_.size() < max_kept) kept_.push_back(next);
}

std::vector<step> trace::last() const {
  std::vector<step> steps;
  for (std::size_t i = count_ - std::min(count_, max_last); i < count_; ++i) steps.push_back(last_[i % max_last]);
  return steps;
}

std::optional<std::size_t> trace::first_difference(const trace& left, const trace& right) {
  const std::size_t common = std::min(left.kept_.size(), right.kept_.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (left.kept_[i] != right.kept_[i]) return i;
  }
  if (left.kept_.size() != right.kept_.size()) return common;
  return std::nullopt;
}

}  // namespace tare::sim::detail
