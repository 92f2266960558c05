#include "inspect/live/shared_states.hpp"

#include "inspect/live/areas.hpp"

#include <algorithm>
#include <array>

namespace tare::inspect {
namespace {

constexpr std::uint64_t word = sizeof(std::uint64_t);
constexpr std::uint64_t bytes_before = 32;
constexpr std::uint64_t bytes_behind = 128;
constexpr std::uint64_t lowest_address = std::uint64_t{1} << 16U;
constexpr std::uint64_t highest_address = std::uint64_t{1} << 47U;
constexpr std::size_t max_states = 200'000;

address_range window(std::uint64_t address) {
  const std::uint64_t begin = address / word * word;
  return {.begin = begin - bytes_before, .end = begin + bytes_behind};
}

}  // namespace

std::uint64_t shared_states::word_at(std::uint64_t address) const {
  std::array<std::byte, word> content{};
  return memory_.read(address, content) == word ? word_of(content, 0) : 0;
}

std::optional<address_range> shared_states::object_of_malloc(std::uint64_t address) const {
  constexpr std::uint64_t alignment = 16;
  constexpr std::uint64_t min_bytes = 32;
  constexpr std::uint64_t max_bytes = 1U << 16U;
  constexpr std::uint64_t in_use_before = 1;
  constexpr std::uint64_t is_mapped = 2;
  constexpr std::uint64_t marks = 7;
  for (std::uint64_t begin = address / alignment * alignment; begin + bytes_before >= address; begin -= alignment) {
    const std::uint64_t head = word_at(begin - word);
    const std::uint64_t bytes = head & ~marks;
    if ((head & is_mapped) != 0 || bytes % alignment != 0 || bytes < min_bytes || bytes > max_bytes) continue;
    const address_range object{.begin = begin, .end = begin + bytes - word};
    const std::uint64_t next = word_at(object.end);
    const bool is_chunk = (next & in_use_before) != 0 && (next & ~marks) >= min_bytes && next % alignment < word;
    if (is_chunk && object.contains(address)) return object;
  }
  return std::nullopt;
}

const shared_state* shared_states::at(std::uint64_t address) {
  if (address < lowest_address || address >= highest_address || extents_.frame_at(address) != frame_extents::none) {
    return nullptr;
  }
  if (const auto known = known_.find(address); known != known_.end()) return &known->second;
  if (known_.size() >= max_states) return nullptr;
  shared_state& state = known_[address];
  state.bytes = window(address);
  if (const auto object = object_of_malloc(address)) {
    state.bytes.begin = std::max(state.bytes.begin, object->begin);
    state.bytes.end = std::min(state.bytes.end, object->end);
  }
  content_.resize(state.bytes.bytes());
  content_.resize(memory_.read(state.bytes.begin, content_));
  bool is_queue = false;
  for (std::size_t index = 0; index + word <= content_.size(); index += word) {
    const std::uint64_t value = word_of(std::span(content_).subspan(index), 0);
    const std::uint32_t frame = extents_.frame_at(value);
    if (frame == frame_extents::none || extents_.head(frame).begin != value) continue;
    is_queue = is_queue || (state.frame != frame_extents::none && state.frame != frame);
    state.frame = frame;
  }
  if (is_queue) state.frame = frame_extents::none;
  return &state;
}

}  // namespace tare::inspect
