#pragma once

// What a process's memory is used for: frames are only a part of it. Internal to inspect/.

#include "inspect/live/arena.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/live/snapshot.hpp"
#include "inspect/memory/address_space.hpp"

#include <span>

namespace tare::inspect {

/// The parts add up to the resident bytes of the address space. The objects of a heap may not be resident as a whole,
/// so in each region frames are counted first, then objects in use; the rest is free.
[[nodiscard]] memory_parts account_for(const address_space& memory, const found_frames& found,
                                       std::span<const arena> arenas);

}  // namespace tare::inspect
