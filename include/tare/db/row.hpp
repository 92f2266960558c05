#pragma once

// One row of a result, and typed access to its values.
//
//   auto id = row.get<std::int64_t>(0);
//   auto note = row.get<std::optional<std::string>>("note");      // nullopt for NULL
//
// T is an integer type, float or double, bool, std::string, std::string_view, std::span<const std::byte>,
// std::vector<std::byte>, or an optional of one of these. Text that is entirely a number also converts to a number
// (PostgreSQL's numeric), and integers convert to bool (SQLite).
//
// **Cancellation** Nothing waits. **Threads** The task that reads its `rows`. **Bytes** A row is 16 and owns nothing. A
// row and its views are valid until the next await on its `rows`.

#include <tare/db/detail/row_block.hpp>
#include <tare/db/error.hpp>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare::db {

/// Thrown by `row::get`, whose caller asserts the type of the column.
class column_error final : public std::runtime_error {
 public:
  explicit column_error(const error& why) : std::runtime_error(why.message()) {}
};

class row {
 public:
  row(const detail::row_block& block, std::uint32_t number) noexcept : block_(&block), number_(number) {}

  /// Number of columns.
  [[nodiscard]] std::size_t size() const noexcept { return block_->columns(); }
  [[nodiscard]] const std::string& name(std::size_t column) const { return block_->names().at(column); }
  /// The first column with this name.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const noexcept;
  /// **Errors** Throws std::out_of_range, like all functions below.
  [[nodiscard]] value_kind kind(std::size_t column) const { return value(column).kind(); }
  [[nodiscard]] bool is_null(std::size_t column) const { return kind(column) == value_kind::null; }

  /// The value as a T. **Errors** Throws column_error if it has another type, which is a mistake in the query or in
  /// this call.
  template <class T>
  [[nodiscard]] T get(std::size_t column) const {
    auto value = try_get<T>(column);
    if (!value) throw column_error(value.error());
    return *std::move(value);
  }
  template <class T>
  [[nodiscard]] T get(std::string_view name) const {
    return get<T>(column_of(name));
  }

  /// The value as a T, or an error of kind `data`: for columns whose content the program does not control.
  template <class T>
  [[nodiscard]] result<T> try_get(std::size_t column) const {
    T converted{};
    if (!convert(value(column), converted)) return std::unexpected(mismatch(column, what_is<T>()));
    return converted;
  }
  template <class T>
  [[nodiscard]] result<T> try_get(std::string_view name) const {
    return try_get<T>(column_of(name));
  }

 private:
  [[nodiscard]] detail::value_view value(std::size_t column) const;
  [[nodiscard]] std::size_t column_of(std::string_view name) const;
  [[nodiscard]] error mismatch(std::size_t column, std::string_view wanted) const;

  template <class T>
  [[nodiscard]] static constexpr std::string_view what_is() {
    if constexpr (detail::is_optional_value<T>) {
      return what_is<typename T::value_type>();
    } else if constexpr (std::same_as<T, bool>) {
      return "a boolean";
    } else if constexpr (std::integral<T>) {
      return "an integer that fits";
    } else if constexpr (std::floating_point<T>) {
      return "a number";
    } else if constexpr (std::convertible_to<T, std::string_view>) {
      return "a text";
    } else {
      return "a blob";
    }
  }

  template <class T>
  [[nodiscard]] static bool convert(detail::value_view from, std::optional<T>& to) {
    if (from.kind() == value_kind::null) return true;
    return convert(from, to.emplace());
  }
  [[nodiscard]] static bool convert(detail::value_view from, bool& to);
  [[nodiscard]] static bool convert(detail::value_view from, double& to);
  [[nodiscard]] static bool convert(detail::value_view from, std::int64_t& to);
  [[nodiscard]] static bool convert(detail::value_view from, std::string_view& to);
  [[nodiscard]] static bool convert(detail::value_view from, std::string& to);
  [[nodiscard]] static bool convert(detail::value_view from, std::span<const std::byte>& to);
  [[nodiscard]] static bool convert(detail::value_view from, std::vector<std::byte>& to);
  [[nodiscard]] static bool convert(detail::value_view from, float& to) {
    double wide = 0;
    if (!convert(from, wide)) return false;
    to = static_cast<float>(wide);
    return true;
  }
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, std::int64_t>)
  [[nodiscard]] static bool convert(detail::value_view from, T& to) {
    std::int64_t wide = 0;
    if (!convert(from, wide) || !std::in_range<T>(wide)) return false;
    to = static_cast<T>(wide);
    return true;
  }

  const detail::row_block* block_;
  std::uint32_t number_;
};

}  // namespace tare::db
