#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// Adds `tare race`. What the returned function gives is the exit status.
[[nodiscard]] std::function<int()> add_race(CLI::App& app);

}  // namespace tare::cli
