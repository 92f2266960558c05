#include "inspect/live/frame_reader.hpp"

#include <algorithm>

namespace tare::inspect {

std::optional<std::uint64_t> memory_window::number(std::uint64_t address, std::size_t bytes) const {
  std::uint64_t value = 0;
  if (bytes == 0 || bytes > sizeof value) return std::nullopt;
  if (address >= begin_ && bytes <= content_.size() && address - begin_ <= content_.size() - bytes) {
    std::memcpy(&value, content_.data() + (address - begin_), bytes);
    return value;
  }
  if (memory_.read(address, std::as_writable_bytes(std::span(&value, 1)).first(bytes)) != bytes) return std::nullopt;
  return value;
}

bool read_index(const memory_window& from, const coroutine& of, found_frame& frame) {
  if (!of.index_offset) return true;
  const auto index = from.number(frame.address + *of.index_offset, std::min<std::size_t>(of.index_bytes, 4));
  if (!index) return true;
  if (of.made_by == producer::gcc && (*index & 1U) != 0) return false;
  frame.index = static_cast<std::uint32_t>(*index);
  return true;
}

void read_waiter(const memory_window& from, const coroutine& of, found_frame& frame) {
  // Frames are aligned to 16 bytes, and promises to theirs.
  constexpr std::uint64_t promise_of_waiter = 16;
  for (const auto& link : of.links) {
    const auto value = from.number(frame.address + link.offset, 8);
    if (!value || *value == 0) continue;
    const std::uint64_t target = link.to_promise ? *value - promise_of_waiter : *value;
    if (target == frame.address || target % 8 != 0) continue;  // a handle to itself, or none
    frame.waiter = target;
    return;
  }
}

}  // namespace tare::inspect
