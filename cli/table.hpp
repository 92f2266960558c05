#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tare::cli {

/// Text in columns, for a terminal or a pipe.
class table {
 public:
  /// The first `left` columns are aligned to the left, the others to the right.
  explicit table(std::vector<std::string> head, std::size_t left = 1) : left_(left), rows_{std::move(head)} {}

  /// Also aligns this column to the left, for text to the right of figures.
  void align_left(std::size_t column) { also_left_ = column; }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// Fits the table into this many columns of a terminal, as far as the text stays readable; 0: no limit. The widest of
  /// the left columns get narrower: names lose their arguments or their middle, places their beginning.
  [[nodiscard]] std::string text(std::size_t width = 0) const;

 private:
  [[nodiscard]] bool is_left(std::size_t column) const { return column < left_ || column == also_left_; }
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t most) const;

  std::size_t left_;
  std::size_t also_left_ = static_cast<std::size_t>(-1);
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tare::cli
