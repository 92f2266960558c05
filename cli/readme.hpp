#pragma once

// The part of the README that comes from a results file, between two marks:
//
//   <!-- race: bench/results/2026-01-31.json -->
//   | ... |
//   <!-- race end -->

#include "base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>

namespace tare::cli {

/// The results file that the first mark names, relative to the document's folder.
[[nodiscard]] base::result<std::filesystem::path> results_named_in(std::string_view document,
                                                                   const std::filesystem::path& file);

/// The document with `part` between the marks, and `results` as the name in the first mark.
[[nodiscard]] base::result<std::string> with_part(std::string_view document, const std::filesystem::path& file,
                                                  std::string_view results, std::string_view part);

}  // namespace tare::cli
