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

  /// Text behind figures: this column, too, is aligned to the left.
  void align_left(std::size_t column) { also_left_ = column; }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  /// In at most so many columns of a terminal, as far as that leaves the text readable; 0: as wide as it is. Of the
  /// columns to the left the widest get narrower: names lose their arguments or their middle, places their beginning.
  [[nodiscard]] std::string text(std::size_t width = 0) const;

 private:
  [[nodiscard]] bool is_left(std::size_t column) const { return column < left_ || column == also_left_; }
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t most) const;

  std::size_t left_;
  std::size_t also_left_ = static_cast<std::size_t>(-1);
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace tare::cli
