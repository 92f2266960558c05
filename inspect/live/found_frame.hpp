#pragma once

// A suspended frame found in memory, before frames are grouped. Internal to inspect/.

#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <vector>

namespace tare::inspect {

struct found_frame {
  static constexpr std::uint32_t unknown_coroutine = ~std::uint32_t{0};
  static constexpr std::uint32_t no_index = ~std::uint32_t{0};

  std::uint64_t address = 0;
  std::uint64_t waiter = 0;  ///< address of the frame that waits for this one; 0: not known
  std::uint32_t coroutine = unknown_coroutine;
  std::uint32_t index = no_index;  ///< the value of the suspend index
  std::uint32_t bytes = 0;         ///< allocated bytes, rounding included; 0: not known, or part of another frame
  bool ended = false;
  bool merged = false;
  bool uncertain = false;
  bool on_stack = false;
};

/// What malloc has allocated in one of its heaps.
struct heap_use {
  address_range where;
  std::uint64_t used_bytes = 0;  ///< in chunks in use, including free ones in malloc's caches
  bool whole = false;            ///< the walk reached its end: the rest of it is free
};

/// The result of a scan, by address.
struct found_frames {
  std::vector<found_frame> frames;
  std::vector<heap_use> heaps;
  std::uint64_t scanned_bytes = 0;
  std::uint64_t freed = 0;    ///< destroyed frames, and frames in freed memory that has not been reused
  std::uint64_t inside = 0;   ///< what looks like frames inside other objects: in a pool, or left over
  std::uint64_t skipped = 0;  ///< regions that are too large to scan
  bool heap_changed = false;  ///< a heap could not be walked to its end
};

}  // namespace tare::inspect
