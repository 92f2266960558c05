#pragma once

// What all of a process's memory is for: frames are only a part of it. Internal to inspect/.

#include "inspect/live/arena.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/live/snapshot.hpp"
#include "inspect/memory/address_space.hpp"

#include <span>

namespace tare::inspect {

/// The parts add up to what the address space says is in memory. What a heap has in use may not be in memory as a
/// whole, so of each region the frames count first, then what is in use, and what is left is free.
[[nodiscard]] memory_parts account_for(const address_space& memory, const found_frames& found,
                                       std::span<const arena> arenas);

}  // namespace tare::inspect
