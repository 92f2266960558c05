#pragma once

// Follows the machine code of a coroutine's functions. Internal to inspect/coroutine/.

#include "inspect/coroutine/frame_source.hpp"

namespace tare::inspect {

/// The source with the flow of each function, and with what is known about where each finds the frame.
[[nodiscard]] frame_source followed(const unit_context& unit, frame_source source);

}  // namespace tare::inspect
