#pragma once

// The results of a race as a page for a browser.

#include "measure/race/results.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tare::cli {

/// Puts the results into the empty page that bench/report builds: it holds a script element of JSON with one marker,
/// and works without a network. Nothing if the page has no such marker.
[[nodiscard]] std::optional<std::string> race_page(const measure::race_results& results, std::string_view empty_page);

}  // namespace tare::cli
