#pragma once

// A block of rows of a result, as read in one go from the database's library.

#include <tare/db/detail/value.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tare::db::detail {

template <class T>
inline constexpr bool is_optional_value = false;
template <class T>
inline constexpr bool is_optional_value<std::optional<T>> = true;

using column_names = std::vector<std::string>;

class row_block {
 public:
  /// Drops the rows and their memory; the rows that follow have these columns.
  void begin(std::shared_ptr<const column_names> names);
  /// Drops the rows and their memory.
  void clear() noexcept;

  [[nodiscard]] std::size_t columns() const noexcept { return names_ == nullptr ? 0 : names_->size(); }
  [[nodiscard]] const column_names& names() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return columns() == 0 ? empty_rows_ : cells_.size() / columns(); }
  [[nodiscard]] value_view at(std::size_t row, std::size_t column) const noexcept {
    return {cells_[row * columns() + column], heap_.data()};
  }
  /// Its size in bytes, approximately.
  [[nodiscard]] std::size_t weight() const noexcept { return cells_.size() * sizeof(cell) + heap_.size(); }

  // Values are added in the order of the columns, row after row.
  void add_null() { cells_.emplace_back(); }
  void add_integer(std::int64_t value);
  void add_real(double value);
  void add_boolean(bool value);
  void add_text(std::string_view value) { add_bytes(value_kind::text, value); }
  void add_blob(std::span<const std::byte> value) {
    add_bytes(value_kind::blob, {reinterpret_cast<const char*>(value.data()), value.size()});
  }
  /// A row without columns (PostgreSQL has such).
  void add_empty_row() noexcept { ++empty_rows_; }

 private:
  void add_bytes(value_kind kind, std::string_view value);

  std::vector<cell> cells_;
  std::string heap_;
  std::shared_ptr<const column_names> names_;
  std::size_t empty_rows_ = 0;
};

}  // namespace tare::db::detail
