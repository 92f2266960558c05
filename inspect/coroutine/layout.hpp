#pragma once

// The frame's fields and sizes, from the type that the compiler made for it. Internal to inspect/.

#include "inspect/coroutine/frame_source.hpp"

#include <bit>

namespace tare::inspect {

/// Fills in the sizes, the promise, the index and the fields of a frame.
void read_layout(const frame_source& source, coroutine& into);

/// What glibc's malloc takes for a request: a multiple of 16 with 8 bytes of its own, at least 32.
[[nodiscard]] constexpr std::uint64_t malloc_bytes(std::uint64_t request) noexcept {
  const std::uint64_t chunk = (request + 8 + 15) / 16 * 16;
  return chunk < 32 ? 32 : chunk;
}

/// What this library's arena takes: sizes are 8 bytes apart up to 1 KiB and an eighth of a power of two up to 8 KiB;
/// larger frames have whole pages.
[[nodiscard]] constexpr std::uint64_t arena_bytes(std::uint64_t request) noexcept {
  std::uint64_t step = 8;
  if (request > 8192) {
    step = 4096;
  } else if (request > 1024) {
    step = std::bit_floor(request - 1) / 8;
  }
  return (request + step - 1) / step * step;
}

/// The bytes of the frame that are in none of the fields.
[[nodiscard]] std::uint64_t uncovered_bytes(const std::vector<frame_field>& fields, std::uint64_t frame_bytes);

}  // namespace tare::inspect
