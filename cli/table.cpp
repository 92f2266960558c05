#include "cli/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tare::cli {
namespace {

/// Columns on the screen, taking each UTF-8 character for one.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

std::string table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blank(widths[i] - width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < left_ ? row[i] + blank : blank + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
    if (&row == &rows_.front()) text += std::string(width(line), '-') + '\n';
  }
  return text;
}

}  // namespace tare::cli
