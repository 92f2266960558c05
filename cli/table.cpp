#include "cli/table.hpp"

#include "cli/text_width.hpp"

#include <algorithm>

namespace tare::cli {

std::string table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blank(widths[i] - text_width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += i < left_ ? row[i] + blank : blank + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
    if (&row == &rows_.front()) text += std::string(text_width(line), '-') + '\n';
  }
  return text;
}

}  // namespace tare::cli
