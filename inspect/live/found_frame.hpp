#pragma once

// A suspended frame as it was found in memory, before it is grouped. Internal to inspect/.

#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <vector>

namespace tare::inspect {

struct found_frame {
  static constexpr std::uint32_t unknown_coroutine = ~std::uint32_t{0};
  static constexpr std::uint32_t no_index = ~std::uint32_t{0};

  std::uint64_t address = 0;
  std::uint64_t waiter = 0;  ///< address of the frame that waits for this one; 0: none known
  std::uint32_t coroutine = unknown_coroutine;
  std::uint32_t index = no_index;  ///< what the suspend index holds
  std::uint32_t bytes = 0;         ///< that it takes, rounding included; 0: not known, or part of another frame
  bool ended = false;
  bool merged = false;
  bool uncertain = false;
  bool on_stack = false;
};

/// What malloc has given out of one of its heaps.
struct heap_use {
  address_range where;
  std::uint64_t used_bytes = 0;  ///< in chunks in use, also those that malloc keeps for the next that asks
  bool whole = false;            ///< it was followed to its end: the rest of it is free
};

/// What looking through the memory gave, by address.
struct found_frames {
  std::vector<found_frame> frames;
  std::vector<heap_use> heaps;
  std::uint64_t scanned_bytes = 0;
  std::uint64_t freed = 0;    ///< frames that are destroyed, or in memory that was freed and not used again
  std::uint64_t inside = 0;   ///< what looks like frames inside of other objects: of a pool, or left over
  std::uint64_t skipped = 0;  ///< regions that are too large to be looked through
  bool heap_changed = false;  ///< the heap could not be followed to its end
};

}  // namespace tare::inspect
