#pragma once

// The header fields of a message, stored as they are sent: lines of text, in order. There is no map and no node per
// field.
//
//   for (auto [name, value] : request.fields()) log(name, value);
//   if (auto type = request.fields().find("content-type")) ...
//   response.fields().set("cache-control", "no-store");
//
// **Bytes** A view is 16; `fields` is a std::string of "name: value\r\n" lines. A lookup scans the lines, which for the
// ten or twenty fields of a typical message is faster than building an index.

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http {

struct field {
  std::string_view name;
  std::string_view value;  ///< without surrounding whitespace
};

/// Compares ASCII letters without regard to case, as for field names and most of their keywords.
[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;

/// A view of fields. The lines must be valid; those of a received message have been checked.
class fields_view {
 public:
  class iterator;

  constexpr fields_view() noexcept = default;
  explicit constexpr fields_view(std::string_view lines) noexcept : lines_(lines) {}

  [[nodiscard]] iterator begin() const noexcept;
  [[nodiscard]] iterator end() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }

  /// The value of the first field with that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name).has_value(); }
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  /// Whether `token` is one of the comma-separated elements in the fields with that name, ignoring case.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

  /// The lines themselves, each with its CRLF.
  [[nodiscard]] std::string_view text() const noexcept { return lines_; }

 private:
  std::string_view lines_;
};

class fields_view::iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = field;
  using difference_type = std::ptrdiff_t;
  using reference = field;
  using pointer = void;

  iterator() noexcept = default;
  explicit iterator(std::string_view lines) noexcept : rest_(lines) {}

  [[nodiscard]] field operator*() const noexcept;
  iterator& operator++() noexcept;
  iterator operator++(int) noexcept {
    iterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const iterator& left, const iterator& right) noexcept {
    return left.rest_.size() == right.rest_.size();
  }

 private:
  std::string_view rest_;
};

/// Fields to send. Names must be tokens, and values must not contain line breaks or control characters, so user data
/// cannot inject fields or responses.
///
/// **Errors** Throws std::invalid_argument for anything else, and std::bad_alloc. **Cancellation** Nothing waits.
/// **Threads** Any, one at a time, like a string.
class fields {
 public:
  /// Appends a field.
  fields& add(std::string_view name, std::string_view value);
  /// Replaces all fields with that name by one.
  fields& set(std::string_view name, std::string_view value);
  /// Returns the number of fields removed.
  std::size_t remove(std::string_view name);
  void clear() noexcept { lines_.clear(); }

  [[nodiscard]] fields_view view() const noexcept { return fields_view(lines_); }
  operator fields_view() const noexcept { return view(); }  // NOLINT(google-explicit-constructor): the same thing
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept { return view().find(name); }
  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }

 private:
  fields& append(std::string_view name, std::string_view value);

  std::string lines_;
};

}  // namespace tare::http
