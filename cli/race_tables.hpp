#pragma once

// The results of a race as Markdown.

#include "measure/race/results.hpp"

#include <string>

namespace tare::cli {

/// All of it, with what was left out and what failed.
[[nodiscard]] std::string race_tables(const measure::race_results& results);

/// The few columns of the README, lightest first.
[[nodiscard]] std::string headline_table(const measure::race_results& results);

/// For the terminal: a row for each peer, and a line for each that has none.
[[nodiscard]] std::string race_summary(const measure::race_results& results);

}  // namespace tare::cli
