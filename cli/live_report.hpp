#pragma once

// What `tare live` found, as text: a head and a table, the tree of who waits for whom, lines for flame graphs. As JSON
// it is inspect::snapshot_json().

#include "inspect/live/snapshot.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tare::cli {

/// "server (process 42)"
[[nodiscard]] std::string process_text(const inspect::live_snapshot& of);

/// What is special about the frames of a site: "not started", "half-built", "ended", "merged", or nothing.
[[nodiscard]] std::string_view state_of(const inspect::live_site& site);

/// "server.cpp:42 (not started)".
[[nodiscard]] std::string place_text(const inspect::source_line& where, inspect::suspension kind);

/// "serve(tcp::socket) at server.cpp:42", for a line that has no columns.
/// In `width` columns of a terminal, if that is not 0, the name gets shorter.
[[nodiscard]] std::string site_text(const inspect::live_site& site, std::size_t width = 0);

/// The figures of the whole process, a few lines.
[[nodiscard]] std::string live_head(const inspect::live_snapshot& of);

/// What all of the process's memory is for, a row for each part; nothing where that is not known.
[[nodiscard]] std::string memory_table(const inspect::live_snapshot& of);

/// A row for each suspension point, the heaviest first; with `top` only so many, and what is left out in one line.
/// In `width` columns of a terminal, if that is not 0.
[[nodiscard]] std::string live_table(const inspect::live_snapshot& of, std::size_t top = 0, std::size_t width = 0);

/// How much of a tree is shown; what is left out is told where it would stand.
struct tree_limits {
  std::size_t width = 10;   ///< of the roots, and of what waits below one node, the heaviest so many
  std::size_t depth = 32;   ///< levels
  std::size_t columns = 0;  ///< of the terminal; 0: any number
};

/// The tree of who waits for whom: roots first, what they wait for below them, the heaviest first.
[[nodiscard]] std::string stacks_text(const inspect::live_snapshot& of, const tree_limits& limits = {});

enum class folded_weight : std::uint8_t { bytes, frames };

/// A line "root:1;child:2;leaf:3 1234" for each node of the tree that holds something itself, as flame graph tools
/// take it. What is below 512 levels counts to the node there.
[[nodiscard]] std::string folded_text(const inspect::live_snapshot& of, folded_weight weight = folded_weight::bytes);

}  // namespace tare::cli
