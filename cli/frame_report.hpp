#pragma once

// Single frames, as shown by `tare live --list` and `--frame`.

#include "inspect/live/frame_view.hpp"

#include <string>
#include <vector>

namespace tare::cli {

/// One row per frame: its address, and where it is suspended.
[[nodiscard]] std::string list_text(const std::vector<inspect::listed_frame>& frames);

/// One frame: where it is suspended, which frame waits for it, and one row per field with its value.
[[nodiscard]] std::string frame_text(const inspect::frame_view& view);

}  // namespace tare::cli
