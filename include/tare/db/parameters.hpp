#pragma once

// Values bound to a statement. They are never part of its text, so nothing needs escaping.
//
//   co_await db.execute("UPDATE items SET price = $1, note = $2 WHERE id = $3", 9.5, std::nullopt, id);
//
// $1, $2 ... name them in the statement, in PostgreSQL and in SQLite (where ?, ?1 and :name work too). The values are
// copied at the call.
//
// **Cancellation** Nothing waits. **Threads** A value: any, one at a time. **Bytes** One allocation of 8, 16 for each
// value, and the bytes of texts and blobs. It is freed when the database has received them.

#include <tare/db/detail/value.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tare::db {

namespace detail {

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
concept blob_like = std::ranges::contiguous_range<const T&> &&
                    std::same_as<std::remove_cvref_t<std::ranges::range_reference_t<const T&>>, std::byte>;

template <class T>
concept text_like = std::convertible_to<const T&, std::string_view>;

template <class T>
concept plain_bindable = std::same_as<T, std::nullptr_t> || std::same_as<T, std::nullopt_t> || std::integral<T> ||
                         std::floating_point<T> || text_like<T> || blob_like<T>;

template <class T>
struct bindable_trait : std::bool_constant<plain_bindable<T>> {};
template <class T>
struct bindable_trait<std::optional<T>> : std::bool_constant<plain_bindable<T>> {};

}  // namespace detail

/// Integers, bool, floating point, strings, ranges of std::byte (blobs), an optional of these, nullptr and nullopt.
template <class T>
concept bindable = detail::bindable_trait<std::decay_t<T>>::value;

/// 8 bytes, move-only. Calls that take values construct it; you need it only to build a `batch` elsewhere.
class parameters {
 public:
  parameters() noexcept = default;

  /// **Errors** Throws std::bad_alloc; std::out_of_range for an integer beyond 64 bits signed, std::length_error for 4
  /// GiB or more.
  template <bindable... T>
    requires(sizeof...(T) > 0)
  explicit parameters(const T&... values) {
    allocate(sizeof...(T), (std::size_t{0} + ... + heap_bytes(values)));
    std::size_t index = 0;
    std::size_t used = 0;
    (fill(index++, used, values), ...);
  }

  [[nodiscard]] std::size_t size() const noexcept { return block_ == nullptr ? 0 : head().count; }
  [[nodiscard]] detail::value_view operator[](std::size_t index) const noexcept { return {cells()[index], heap()}; }

 private:
  struct header {
    std::size_t count;
  };

  [[nodiscard]] const header& head() const noexcept { return *reinterpret_cast<const header*>(block_.get()); }
  [[nodiscard]] const detail::cell* cells() const noexcept {
    return reinterpret_cast<const detail::cell*>(block_.get() + sizeof(header));
  }
  [[nodiscard]] detail::cell* cells() noexcept {
    return reinterpret_cast<detail::cell*>(block_.get() + sizeof(header));
  }
  [[nodiscard]] const char* heap() const noexcept { return reinterpret_cast<const char*>(cells() + head().count); }

  void allocate(std::size_t count, std::size_t heap_size);
  void put_bytes(std::size_t at, std::size_t& used, value_kind kind, const void* data, std::size_t size);

  template <class T>
  [[nodiscard]] static std::size_t heap_bytes(const T& value) {
    if constexpr (detail::is_optional<T>) {
      return value ? heap_bytes(*value) : 0;
    } else if constexpr (detail::text_like<T> && !std::is_null_pointer_v<T>) {
      return std::string_view(value).size() + 1;
    } else if constexpr (detail::blob_like<T>) {
      return std::ranges::size(value) + 1;
    } else {
      return 0;
    }
  }

  template <class T>
  void fill(std::size_t index, std::size_t& used, const T& value) {
    detail::cell& cell = cells()[index];
    if constexpr (detail::is_optional<T>) {
      if (value) fill(index, used, *value);
    } else if constexpr (std::is_null_pointer_v<T> || std::same_as<T, std::nullopt_t>) {
      // stays null
    } else if constexpr (std::same_as<T, bool>) {
      cell.kind = value_kind::boolean;
      cell.boolean = value;
    } else if constexpr (std::integral<T>) {
      if (!std::in_range<std::int64_t>(value))
        throw std::out_of_range("tare::db: a parameter exceeds the range of a signed 64-bit integer");
      cell.kind = value_kind::integer;
      cell.integer = static_cast<std::int64_t>(value);
    } else if constexpr (std::floating_point<T>) {
      cell.kind = value_kind::real;
      cell.real = static_cast<double>(value);
    } else if constexpr (detail::text_like<T>) {
      const std::string_view text(value);
      put_bytes(index, used, value_kind::text, text.data(), text.size());
    } else {
      put_bytes(index, used, value_kind::blob, std::ranges::data(value), std::ranges::size(value));
    }
  }

  std::unique_ptr<std::byte[]> block_;
};

}  // namespace tare::db
