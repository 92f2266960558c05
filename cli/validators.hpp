#pragma once

// What options with numbers accept. CLI11 by itself takes -1 for the largest number there is, and "nan" for a time.

#include <CLI/CLI.hpp>

#include <string>

namespace tare::cli {

/// A whole number; `what` names what is counted in the message.
[[nodiscard]] CLI::Validator a_number_of(std::string what);

/// Seconds, above 0.
[[nodiscard]] CLI::Validator seconds();

}  // namespace tare::cli
