#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// Adds `tare hold`. The returned function runs it and returns the exit status.
[[nodiscard]] std::function<int()> add_hold(CLI::App& app);

}  // namespace tare::cli
