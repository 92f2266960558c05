#pragma once

// A slab: 64 KiB of the arena, divided into objects of one size.
//
// The description of a slab is not in the slab but in a table outside the arena, one cache line each: so it takes no
// space from objects, an empty slab can be returned to the system as a whole, and `slab_of` is a shift of the address.

#include <tare/detail/link.hpp>

#include <cstddef>
#include <cstdint>

namespace tare::detail {

inline constexpr std::size_t slab_bytes = std::size_t{64} * 1024;

enum class slab_use : std::uint8_t { unused, frames, records, large_frame, large_record };

struct alignas(64) slab {
  link free = no_link;  ///< first freed object; the next one's link is in its first 4 bytes
  std::uint32_t object_bytes = 0;
  std::uint32_t used = 0;   ///< number of allocated objects
  std::uint32_t fresh = 0;  ///< number of objects, at the end, never allocated since the slab was taken
  std::uint32_t capacity = 0;
  std::uint32_t run = 0;  ///< number of consecutive slabs that form a large object
  slab* next = nullptr;   ///< in its heap's list of partly used slabs
  slab* prev = nullptr;
  std::uint16_t heap = 0;  ///< the owner's number; 0: no owner
  std::uint16_t bin = 0;
  slab_use use = slab_use::unused;
  bool listed = false;  ///< in the list of partly used slabs
};
static_assert(sizeof(slab) == 64);

}  // namespace tare::detail
