#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// Adds `tare diff`. The returned function runs it and returns the exit status.
[[nodiscard]] std::function<int()> add_diff(CLI::App& app);

}  // namespace tare::cli
