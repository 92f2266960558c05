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

bool read_index(const memory_window& from, const coroutine& coroutine, found_frame& frame) {
  if (!coroutine.index_offset) return true;
  const auto index =
      from.number(frame.address + *coroutine.index_offset, std::min<std::size_t>(coroutine.index_bytes, 4));
  if (!index) return true;
  if (coroutine.made_by == producer::gcc && (*index & 1U) != 0) return false;
  frame.index = static_cast<std::uint32_t>(*index);
  return true;
}

}  // namespace tare::inspect
