#pragma once

// The result of `tare live` as text: a head and a table, the tree of which coroutine waits for which, lines for flame
// graphs. For JSON see inspect::snapshot_json().

#include "inspect/live/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tare::cli {

/// "server (process 42)"
[[nodiscard]] std::string process_text(const inspect::live_snapshot& snapshot);

/// What is special about the frames of a site: "not started", "half-built", "ended", "merged", or nothing.
[[nodiscard]] std::string_view state_of(const inspect::live_site& site);

/// "server.cpp:42 (not started)".
[[nodiscard]] std::string place_text(const inspect::source_line& where, inspect::suspension kind);

/// "serve(tcp::socket) at server.cpp:42", for a line that has no columns.
/// If `width` is not 0, the name is shortened to fit into that many columns of a terminal.
[[nodiscard]] std::string site_text(const inspect::live_site& site, std::size_t width = 0);

/// The figures of the whole process, a few lines.
[[nodiscard]] std::string live_head(const inspect::live_snapshot& snapshot);

/// What the memory of the process is used for, one row per part; empty if that is not known.
[[nodiscard]] std::string memory_table(const inspect::live_snapshot& snapshot);

/// One row per suspension point, the heaviest first. `top` limits the rows; a last line then sums up the others.
/// If `width` is not 0, the table fits into that many columns of a terminal.
[[nodiscard]] std::string live_table(const inspect::live_snapshot& snapshot, std::size_t top = 0,
                                     std::size_t width = 0);

/// How much of a tree is shown. A line in its place says what is left out.
struct tree_limits {
  std::size_t width = 10;   ///< the maximum number of roots, and of children per node
  std::size_t depth = 32;   ///< levels
  std::size_t columns = 0;  ///< of the terminal; 0: any number
};

/// The tree of which coroutine waits for which: the roots, and below each what it waits for, the heaviest first.
[[nodiscard]] std::string stacks_text(const inspect::live_snapshot& snapshot, const tree_limits& limits = {});

enum class folded_weight : std::uint8_t { bytes, frames };

/// A line "root:1;child:2;leaf:3 1234" for each node of the tree that holds something itself, in the format of flame
/// graph tools. What is below 512 levels is added to its ancestor at that level.
[[nodiscard]] std::string folded_text(const inspect::live_snapshot& snapshot,
                                      folded_weight weight = folded_weight::bytes);

}  // namespace tare::cli
