#pragma once

// The parts of a document that come from results files, each between two marks:
//
//   <!-- race: bench/results/2026-01-31.json -->
//   | ... |
//   <!-- race end -->
//
// A part that begins with `<!-- race connections: FILE -->` is the short table of connections.

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tare::cli {

enum class part_kind : std::uint8_t { headline, connections };

/// A part of a document, with its offsets.
struct marked_part {
  part_kind what = part_kind::headline;
  std::string results;       ///< the file in the first mark, relative to the document's folder
  std::size_t name = 0;      ///< where the file's name begins
  std::size_t name_end = 0;  ///< and ends
  std::size_t end = 0;       ///< where the second mark begins
};

/// In the order of the document. None, or a part without an end, is an error that names `file`.
[[nodiscard]] base::result<std::vector<marked_part>> parts_of(std::string_view document,
                                                              const std::filesystem::path& file);

/// The document with `text` between the marks of this part of it, and `results` as the name in the first mark.
[[nodiscard]] std::string with_part(std::string_view document, const marked_part& part, std::string_view results,
                                    std::string_view text);

}  // namespace tare::cli
