#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// Adds `tare check`. The returned function runs it and returns the exit status.
[[nodiscard]] std::function<int()> add_check(CLI::App& app);

}  // namespace tare::cli
