#pragma once

// What `tare frames` found, as a page for a browser that needs no network.

#include <string>
#include <string_view>

namespace tare::cli {

/// False where the command was built without npm.
[[nodiscard]] bool has_frames_page() noexcept;

/// The page with this JSON in it, as frames_json() writes it.
[[nodiscard]] std::string frames_page(std::string_view json);

}  // namespace tare::cli
