#pragma once

// Pages for a browser that need no network, built by cli/pages and part of the command: each is empty, and the JSON of
// what was found is put into it.

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tare::cli {

/// False where the command was built without npm.
[[nodiscard]] bool has_pages() noexcept;

/// The error says so, and what to do about it.
[[nodiscard]] base::result<void> need_pages();

/// The page of `tare frames` with this JSON in it, as frames_json() writes it.
[[nodiscard]] std::string frames_page(std::string_view json);

/// The page of `tare live` with this JSON in it, as inspect::snapshot_json() writes it.
[[nodiscard]] std::string live_page(std::string_view json);

/// An empty page with the JSON in the place of the marker, such that nothing in it can end the element that it stands
/// in. Nothing if there is no such marker.
[[nodiscard]] std::optional<std::string> filled_page(std::string_view empty, std::string_view marker,
                                                     std::string_view json);

}  // namespace tare::cli
