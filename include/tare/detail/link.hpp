#pragma once

// A link is a 4-byte pointer into the frame arena.
//
// All coroutine frames and records are allocated from one reserved address range (src/frame/), aligned to at least 8
// bytes, so an index in units of 8 bytes covers 32 GiB.

#include <cstddef>
#include <cstdint>

namespace tare::detail {

/// Index into the arena in units of `link_unit` bytes; 0 means "none" (the first unit is never allocated).
using link = std::uint32_t;

inline constexpr std::size_t link_unit = 8;
inline constexpr link no_link = 0;

/// Start of the arena. Set once, before the first link can exist, and never changed.
extern constinit std::byte* arena_base;

template <class T>
[[nodiscard]] inline T* from_link(link index) noexcept {
  return reinterpret_cast<T*>(arena_base + std::size_t{index} * link_unit);
}

[[nodiscard]] inline link to_link(const void* address) noexcept {
  return static_cast<link>(static_cast<std::size_t>(static_cast<const std::byte*>(address) - arena_base) / link_unit);
}

}  // namespace tare::detail
