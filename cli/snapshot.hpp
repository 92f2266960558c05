#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// `tare snapshot`: saves what `tare live` shows, for `tare compare`.
[[nodiscard]] std::function<int()> add_snapshot(CLI::App& app);

}  // namespace tare::cli
