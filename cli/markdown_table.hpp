#pragma once

#include <string>
#include <vector>

namespace tare::cli {

/// Rows of Markdown: the first column to the left, the others to the right.
class markdown_table {
 public:
  explicit markdown_table(const std::vector<std::string>& head);

  void add(const std::vector<std::string>& row);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace tare::cli
