#pragma once

// Validators for options that take a number. CLI11 itself accepts -1 as the largest number, and nan as a time.

#include <CLI/CLI.hpp>

namespace tare::cli {

/// A number of tasks.
[[nodiscard]] CLI::Validator a_count();
/// Seconds, above 0 and at most a million.
[[nodiscard]] CLI::Validator a_time_limit();

}  // namespace tare::cli
