#pragma once

// Makes a snapshot of the frames that were found: groups them by suspension point and by waiter. Internal to inspect/.

#include "inspect/live/found_frame.hpp"
#include "inspect/live/snapshot.hpp"

#include <span>

namespace tare::inspect {

/// The site of one frame: its function, file and line, and whether it has begun or ended.
[[nodiscard]] live_site site_of(const found_frame& frame, std::span<const coroutine> coroutines);

/// Sets `sites` and the sums of the snapshot, and its stacks if `stacks` is set. The frames are sorted by address.
void group(std::span<const found_frame> frames, std::span<const coroutine> coroutines, bool stacks,
           live_snapshot& snapshot);

}  // namespace tare::inspect
