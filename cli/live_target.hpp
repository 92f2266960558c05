#pragma once

// The process or core file that `tare live` and `tare snapshot` inspect, from their options.

#include "base/error.hpp"
#include "inspect/live/target.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace tare::cli {

struct live_target_options {
  std::int64_t pid = 0;
  std::string core;
  std::string program;
  double pause_ms = 0;
  bool pools = false;
  bool rust = false;
  std::vector<std::string> debug_folders;
};

/// Adds PID, --core, --exe, --pause, --pools, --rust and --debug-dir.
void add_target_options(CLI::App& to, live_target_options& options);

/// Opens it. `stacks`: also find out which frame waits for which.
[[nodiscard]] base::result<inspect::live_target> open_target(const live_target_options& options, bool stacks);

}  // namespace tare::cli
