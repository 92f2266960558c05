#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// `tare hold`. Call what is returned once the command line has been parsed; it gives the exit status.
[[nodiscard]] std::function<int()> add_hold(CLI::App& app);

}  // namespace tare::cli
