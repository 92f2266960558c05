#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tare::cli {

/// `tare snapshot`: keeps what `tare live` sees, for `tare compare`.
[[nodiscard]] std::function<int()> add_snapshot(CLI::App& app);

}  // namespace tare::cli
