#pragma once

// Reads what a frame's variables hold. Internal to inspect/.

#include "inspect/live/found_frame.hpp"
#include "inspect/live/frame_view.hpp"
#include "inspect/memory/address_space.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace tare::inspect {

/// Everything but who waits for it. `binary` is the file that has its code; it is read again, for what is alive where.
[[nodiscard]] frame_view view_frame(const address_space& memory, const found_frame& frame,
                                    std::span<const coroutine> coroutines, const std::filesystem::path& binary,
                                    const std::vector<std::filesystem::path>& debug_folders);

}  // namespace tare::inspect
