#pragma once

// Reads the values of a frame's variables. Internal to inspect/.

#include "inspect/live/found_frame.hpp"
#include "inspect/live/frame_view.hpp"
#include "inspect/memory/address_space.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace tare::inspect {

/// The whole view except its waiter. `binary`, the file with its code, is read again for liveness.
[[nodiscard]] frame_view view_frame(const address_space& memory, const found_frame& frame,
                                    std::span<const coroutine> coroutines, const std::filesystem::path& binary,
                                    const std::vector<std::filesystem::path>& debug_folders);

}  // namespace tare::inspect
