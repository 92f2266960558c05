#pragma once

// Looking for frames in all of a process's writable memory. Internal to inspect/.

#include "inspect/live/arena.hpp"
#include "inspect/live/found_frame.hpp"
#include "inspect/live/frame_index.hpp"
#include "inspect/memory/address_space.hpp"

#include <span>
#include <vector>

namespace tare::inspect {

struct scan_options {
  bool waiters = false;  ///< also who waits for each frame
  bool pools = false;    ///< count what lies inside of other objects, too: frames that a pool has placed there
};

/// Everything but what the arenas cover, which are walked exactly. By address.
[[nodiscard]] found_frames scan(const address_space& memory, const frame_index& known,
                                std::span<const coroutine> coroutines, std::span<arena> arenas,
                                const scan_options& how);

}  // namespace tare::inspect
