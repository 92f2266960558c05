#pragma once

// What options that take a number accept. CLI11 itself takes -1 for the largest number there is, and nan as a time.

#include <CLI/CLI.hpp>

namespace tare::cli {

/// A number of tasks.
[[nodiscard]] CLI::Validator a_count();
/// Seconds, above 0 and at most a million.
[[nodiscard]] CLI::Validator a_time_limit();

}  // namespace tare::cli
