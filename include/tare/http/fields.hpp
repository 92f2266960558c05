#pragma once

// The fields of a message ("headers"), kept as they travel: lines of text, in order. No map, no node for each.
//
//   for (auto [name, value] : request.fields()) log(name, value);
//   if (auto type = request.fields().find("content-type")) ...
//   response.fields().set("cache-control", "no-store");
//
// Bytes: a view is 16; `fields` is a std::string of "name: value\r\n" lines. A look-up reads the lines from the front,
// which for the ten or twenty that a message has is faster than building anything first.

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http {

struct field {
  std::string_view name;
  std::string_view value;  ///< without blanks around it
};

/// ASCII letters of either case are the same. Names of fields and most of their keywords compare so.
[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept;

/// Fields that somebody else owns. Valid lines are taken for granted: a view of a message received has been checked.
class fields_view {
 public:
  class iterator;

  constexpr fields_view() noexcept = default;
  explicit constexpr fields_view(std::string_view lines) noexcept : lines_(lines) {}

  [[nodiscard]] iterator begin() const noexcept;
  [[nodiscard]] iterator end() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return lines_.empty(); }

  /// The value of the first field of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] bool contains(std::string_view name) const noexcept { return find(name).has_value(); }
  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
  /// Whether one of the comma-separated elements in the fields of that name is `token`, in whatever case.
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

/// Fields to be sent. Names must be tokens and values free of line breaks and control characters: anything else throws
/// std::invalid_argument, so that data of users cannot become fields or responses of its own.
class fields {
 public:
  /// Appends a field.
  fields& add(std::string_view name, std::string_view value);
  /// Replaces all fields of that name by one.
  fields& set(std::string_view name, std::string_view value);
  /// Number of fields removed.
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
