#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tare::cli {

/// Text in columns, for a terminal or a pipe alike.
class table {
 public:
  /// The first `left` columns are aligned to the left, the others to the right.
  explicit table(std::vector<std::string> head, std::size_t left = 1) : left_(left), rows_{std::move(head)} {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::size_t left_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tare::cli
