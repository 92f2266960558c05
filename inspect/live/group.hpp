#pragma once

// From found frames to a snapshot: grouped by where they are suspended and by who waits for whom. Internal to inspect/.

#include "inspect/live/found_frame.hpp"
#include "inspect/live/snapshot.hpp"

#include <span>

namespace tare::inspect {

/// What is said of one frame's place: its function, file and line, and whether it has begun or ended.
[[nodiscard]] live_site site_of(const found_frame& frame, std::span<const coroutine> coroutines);

/// Fills in `sites`, and with `stacks` those too, and the sums. The frames are by address.
void group(std::span<const found_frame> frames, std::span<const coroutine> coroutines, bool stacks,
           live_snapshot& into);

}  // namespace tare::inspect
