#pragma once

// Single frames as `tare live --list` and `--frame` show them.

#include "inspect/live/frame_view.hpp"

#include <string>
#include <vector>

namespace tare::cli {

/// A row for each frame: where it is in memory, and at which place it is suspended.
[[nodiscard]] std::string list_text(const std::vector<inspect::listed_frame>& frames);

/// One frame: where it is suspended, who waits for it, and a row for each field with what it holds.
[[nodiscard]] std::string frame_text(const inspect::frame_view& of);

}  // namespace tare::cli
