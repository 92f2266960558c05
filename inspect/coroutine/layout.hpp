#pragma once

// The fields and sizes of a frame, from the type that the compiler created for it. Internal to inspect/.

#include "inspect/coroutine/frame_source.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tare::inspect {

/// A frame has at least two pointers and a byte for the index; above the maximum the information is damaged.
[[nodiscard]] constexpr bool is_frame_size(std::uint64_t bytes) noexcept {
  constexpr std::uint64_t least = 17;
  constexpr std::uint64_t most = std::uint64_t{1} << 30;
  return bytes >= least && bytes <= most;
}

/// The sizes, the promise, the index and the fields of a frame; the members mean what those of `coroutine` do.
struct frame_layout {
  std::optional<std::uint64_t> frame_bytes;
  allocation allocated_by = allocation::unknown;
  std::optional<std::uint64_t> allocated_bytes;
  std::uint64_t abi_bytes = 0;
  std::uint64_t promise_bytes = 0;
  std::uint64_t promise_offset = frame_head_bytes;
  std::string promise_type;
  std::vector<frame_field> fields;
  std::optional<std::uint64_t> index_offset;
  std::uint32_t index_bytes = 0;
  std::vector<promise_link> links;
};

[[nodiscard]] frame_layout read_layout(const unit_context& unit, const frame_source& source);

/// The fields of a frame that is described as larger than the `requested` bytes of its code: of the frame of a callee
/// that does not fit, only a pointer to it is there. nullopt if another field does not fit.
[[nodiscard]] std::optional<std::vector<frame_field>> fields_within(std::uint64_t requested,
                                                                    std::vector<frame_field> fields);

/// Corrects a described frame that is larger than what its code requests. false if fields do not fit then.
[[nodiscard]] bool limit_layout(coroutine& frame, std::uint64_t requested);

/// What glibc's malloc allocates for a request: a multiple of 16, with 8 bytes of its own, at least 32.
[[nodiscard]] constexpr std::uint64_t malloc_bytes(std::uint64_t request) noexcept {
  const std::uint64_t chunk = (request + 8 + 15) / 16 * 16;
  return chunk < 32 ? 32 : chunk;
}

/// What this library's arena allocates: sizes are 8 bytes apart up to 1 KiB, and an eighth of a power of two up to
/// 8 KiB; larger frames take whole pages.
[[nodiscard]] constexpr std::uint64_t arena_bytes(std::uint64_t request) noexcept {
  std::uint64_t step = 8;
  if (request > 8192) {
    step = 4096;
  } else if (request > 1024) {
    step = std::bit_floor(request - 1) / 8;
  }
  return (request + step - 1) / step * step;
}

/// The size of a new block of Boost.Asio (1.81, thread_info_base::allocate): the frame, a byte for the size in units of
/// 4, and alignment to 16.
[[nodiscard]] constexpr std::uint64_t asio_bytes(std::uint64_t request) noexcept {
  const std::uint64_t units = (request + 3) / 4;
  return malloc_bytes((units * 4 + 1 + 15) / 16 * 16);
}

/// The bytes that this allocator takes for a frame; nullopt if that is not known.
[[nodiscard]] std::optional<std::uint64_t> allocated_bytes(allocation allocation, std::uint64_t frame_bytes);

/// The bytes of the frame that no field covers.
[[nodiscard]] std::uint64_t uncovered_bytes(const std::vector<frame_field>& fields, std::uint64_t frame_bytes);

}  // namespace tare::inspect
