#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// Adds `tare compare`. What the returned function gives is the exit status.
[[nodiscard]] std::function<int()> add_compare(CLI::App& app);

}  // namespace tare::cli
