#pragma once

// The suspend index in a frame: which suspension point its coroutine is at.

#include "frame/frame_walk.hpp"

#include <tare/abi/await_section.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tare::detail {

/// nullopt if the compiler omitted it, or if it says nothing.
[[nodiscard]] inline std::optional<std::uint32_t> suspend_index_of(const std::byte* frame,
                                                                   const abi::await_section::coroutine& of) noexcept {
  std::optional<std::uint32_t> index;
  if (of.index_bytes == 1) index = number_in<std::uint8_t>(frame, of.index_offset);
  if (of.index_bytes == 2) index = number_in<std::uint16_t>(frame, of.index_offset);
  if (of.index_bytes == 4) index = number_in<std::uint32_t>(frame, of.index_offset);
  // g++ marks frames that are being destroyed in this way.
  if (of.made_by == 'g' && index && *index % 2 != 0) index = std::nullopt;
  return index;
}

}  // namespace tare::detail
