#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// `tare live`: shows every suspended coroutine of a running process or of a core file.
[[nodiscard]] std::function<int()> add_live(CLI::App& app);

}  // namespace tare::cli
