#pragma once

// The width of text on a terminal, where each UTF-8 character is assumed to take one column.

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::cli {

[[nodiscard]] std::size_t text_width(std::string_view text);

/// The beginning of the text that fits into this many columns.
[[nodiscard]] std::string_view clipped(std::string_view text, std::size_t columns);

/// The end of the text that fits, after "…" if the text is cut: for places, whose end matters most.
[[nodiscard]] std::string end_of(std::string_view text, std::size_t columns);

/// The maximum number of columns of text on standard output: COLUMNS, or those of the terminal; 0, no limit, if it is
/// not a terminal.
[[nodiscard]] std::size_t screen_width();

}  // namespace tare::cli
