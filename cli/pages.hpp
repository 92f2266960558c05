#pragma once

// Pages for a browser that need no network. cli/pages builds them without content, the command embeds them, and the
// functions here insert the JSON of a result.

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tare::cli {

/// False if the command was built without npm.
[[nodiscard]] bool has_pages() noexcept;

/// The error for that case; it says what to do.
[[nodiscard]] base::result<void> need_pages();

/// The page of `tare frames` with this JSON in it, as frames_json() writes it.
[[nodiscard]] std::string frames_page(std::string_view json);

/// The page of `tare live` with this JSON in it, as inspect::snapshot_json() writes it.
[[nodiscard]] std::string live_page(std::string_view json);

/// A page with the JSON in place of the marker, escaped so that it cannot end the element around it. Nothing if the
/// page has no marker.
[[nodiscard]] std::optional<std::string> filled_page(std::string_view empty, std::string_view marker,
                                                     std::string_view json);

}  // namespace tare::cli
