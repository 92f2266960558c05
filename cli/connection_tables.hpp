#pragma once

// What a race of connections found, as Markdown and as a table for the terminal.

#include "measure/race/results.hpp"

#include <string>

namespace tare::cli {

/// The whole report.
[[nodiscard]] std::string connection_tables(const measure::race_results& results);

/// Bytes per connection: a row for each server, a column for each kind, and what was not measured.
[[nodiscard]] std::string connection_headline(const measure::race_results& results);

/// The same columns for those servers that were measured while they waited for a database, without what is missing.
[[nodiscard]] std::string connection_short_table(const measure::race_results& results);

/// The same for the terminal.
[[nodiscard]] std::string connection_summary(const measure::race_results& results);

}  // namespace tare::cli
