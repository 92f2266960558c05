#pragma once

// Finds frames in all writable memory of a process. Internal to inspect/.

#include "inspect/live/arena.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/live/frame_index.hpp"
#include "inspect/memory/address_space.hpp"

#include <span>
#include <vector>

namespace tare::inspect {

struct scan_options {
  bool waiters = false;  ///< also find the waiter of each frame
  bool pools = false;    ///< also count what looks like frames inside other objects, such as pools
};

/// All frames by address. Arenas are walked exactly; all other memory is scanned.
[[nodiscard]] found_frames scan(const address_space& memory, const frame_index& known,
                                std::span<const coroutine> coroutines, std::span<arena> arenas,
                                const scan_options& how);

}  // namespace tare::inspect
