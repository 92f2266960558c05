#pragma once

// From found frames to a snapshot: grouped by where they are suspended and by who waits for whom. Internal to inspect/.

#include "inspect/live/found_frame.hpp"
#include "inspect/live/snapshot.hpp"

#include <span>

namespace tare::inspect {

/// Fills in `sites`, and with `stacks` those too, and the sums. The frames are by address.
void group(std::span<const found_frame> frames, std::span<const coroutine> coroutines, bool stacks,
           live_snapshot& into);

}  // namespace tare::inspect
