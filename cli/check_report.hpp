#pragma once

// The violations that `tare check` found: as text, as GitHub annotations, and as SARIF.

#include "inspect/facts/budget.hpp"

#include <span>
#include <string>

namespace tare::cli {

/// One line per violation, in the format of compilers: "service.cpp:42: error: the frame of ... is 312 bytes, ...".
[[nodiscard]] std::string violations_text(std::span<const inspect::violation> found);

/// The same as GitHub workflow commands: "::error file=service.cpp,line=42::...".
[[nodiscard]] std::string violations_github(std::span<const inspect::violation> found);

/// SARIF 2.1.0, which code hosts and editors read.
[[nodiscard]] std::string violations_sarif(std::span<const inspect::violation> found);

}  // namespace tare::cli
