#pragma once

// What `tare check` found, for people, for GitHub's annotations, and as SARIF.

#include "inspect/facts/budget.hpp"

#include <span>
#include <string>

namespace tare::cli {

/// A line for each, as compilers write them: "service.cpp:42: error: the frame of ... is 312 bytes, ...".
[[nodiscard]] std::string violations_text(std::span<const inspect::violation> found);

/// The same as workflow commands of GitHub: "::error file=service.cpp,line=42::...".
[[nodiscard]] std::string violations_github(std::span<const inspect::violation> found);

/// SARIF 2.1.0, which code hosts and editors read.
[[nodiscard]] std::string violations_sarif(std::span<const inspect::violation> found);

}  // namespace tare::cli
