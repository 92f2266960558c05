#pragma once

// Text on a terminal, taking each UTF-8 character for one column.

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::cli {

[[nodiscard]] std::size_t text_width(std::string_view text);

/// As much of it as fits into so many columns.
[[nodiscard]] std::string_view clipped(std::string_view text, std::size_t columns);

/// The end of it, behind "…" if that is not all: of a place the end says most.
[[nodiscard]] std::string end_of(std::string_view text, std::size_t columns);

/// How many columns the text on standard output may have: COLUMNS, or those of the terminal; 0, any number, if it is
/// none.
[[nodiscard]] std::size_t screen_width();

}  // namespace tare::cli
