#include "cli/table.hpp"

#include "cli/short_name.hpp"
#include "cli/text_width.hpp"

#include <algorithm>

namespace tare::cli {
namespace {

constexpr std::size_t gap = 2;

/// Whether it is a path with a line, whose end matters most.
bool is_place(const std::string& cell) {
  const auto line = cell.rfind(':');
  return cell.contains('/') && line != std::string::npos && line + 1 < cell.size() &&
         cell.find_first_of("/ ", line) == std::string::npos && cell[line + 1] >= '0' && cell[line + 1] <= '9';
}

std::string fitted(const std::string& cell, std::size_t width) {
  if (text_width(cell) <= width) return cell;
  return is_place(cell) ? end_of(cell, width) : short_name(cell, width);
}

}  // namespace

std::vector<std::size_t> table::widths(std::size_t most) const {
  std::vector<std::size_t> all;
  for (const auto& row : rows_) {
    all.resize(std::max(all.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) all[i] = std::max(all[i], text_width(row[i]));
  }
  if (most == 0 || all.empty()) return all;
  std::size_t whole = (all.size() - 1) * gap;
  for (const auto each : all) whole += each;
  constexpr std::size_t min_name = 16;
  constexpr std::size_t min_place = 16;
  while (whole > most) {
    std::size_t widest = all.size();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!is_left(i) || all[i] <= (i == 0 ? min_name : min_place)) continue;
      if (widest == all.size() || all[i] > all[widest]) widest = i;
    }
    if (widest == all.size()) break;
    --all[widest];
    --whole;
  }
  return all;
}

std::string table::text(std::size_t width) const {
  const auto columns = widths(width);
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = is_left(i) ? fitted(row[i], columns[i]) : row[i];
      const std::string blank(columns[i] - std::min(columns[i], text_width(cell)), ' ');
      if (i > 0) line += std::string(gap, ' ');
      line += is_left(i) ? cell + blank : blank + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
    if (&row == &rows_.front()) {
      std::size_t whole = text_width(line);
      // In a last column of text, rows may be longer than the head.
      if (also_left_ + 1 == columns.size()) whole = std::max(whole, whole - text_width(row.back()) + columns.back());
      text += std::string(whole, '-') + '\n';
    }
  }
  return text;
}

}  // namespace tare::cli
