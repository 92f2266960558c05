#pragma once

// Text on a terminal, taking each UTF-8 character for one column.

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::cli {

[[nodiscard]] std::size_t text_width(std::string_view text);

/// As much of it as fits into so many columns.
[[nodiscard]] std::string_view clipped(std::string_view text, std::size_t columns);

}  // namespace tare::cli
