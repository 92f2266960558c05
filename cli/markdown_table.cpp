#include "cli/markdown_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>

namespace tare::cli {

markdown_table::markdown_table(const std::vector<std::string>& head) {
  add(head);
  text_ += "|---|";
  for (std::size_t i = 1; i < head.size(); ++i) text_ += "---:|";
  text_ += '\n';
}

void markdown_table::add(const std::vector<std::string>& row) {
  text_ += fmt::format("| {} |\n", fmt::join(row, " | "));
}

}  // namespace tare::cli
