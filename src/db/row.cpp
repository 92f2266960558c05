#include <tare/db/row.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tare::db {

namespace {

/// The number, if the whole `text` is one.
template <class T>
bool parse(std::string_view text, T& to) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), to);
  return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<std::size_t> row::find(std::string_view name) const noexcept {
  if (size() == 0) return std::nullopt;
  const auto& names = block_->names();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

std::size_t row::column_of(std::string_view name) const {
  const auto found = find(name);
  if (!found) throw std::out_of_range("tare::db: the result has no column '" + std::string(name) + "'");
  return *found;
}

detail::value_view row::value(std::size_t column) const {
  if (column >= size()) {
    throw std::out_of_range("tare::db: column " + std::to_string(column) + " of a result that has " +
                            std::to_string(size()));
  }
  return block_->at(number_, column);
}

error row::mismatch(std::size_t column, std::string_view wanted) const {
  const detail::value_view found = value(column);
  return {error_kind::data, "",
          "column " + std::to_string(column) + " ('" + name(column) + "') is not " + std::string(wanted) +
              "; it is of kind " + std::string(name_of(found.kind()))};
}

bool row::convert(detail::value_view from, std::int64_t& to) {
  switch (from.kind()) {
    case value_kind::integer:
      to = from.integer();
      return true;
    case value_kind::boolean:
      to = from.boolean() ? 1 : 0;
      return true;
    case value_kind::text:
      return parse(from.text(), to);
    default:
      return false;
  }
}

bool row::convert(detail::value_view from, double& to) {
  switch (from.kind()) {
    case value_kind::real:
      to = from.real();
      return true;
    case value_kind::integer:
      to = static_cast<double>(from.integer());
      return true;
    case value_kind::text:
      return parse(from.text(), to);
    default:
      return false;
  }
}

bool row::convert(detail::value_view from, bool& to) {
  switch (from.kind()) {
    case value_kind::boolean:
      to = from.boolean();
      return true;
    case value_kind::integer:
      to = from.integer() != 0;
      return true;
    default:
      return false;
  }
}

bool row::convert(detail::value_view from, std::string_view& to) {
  if (from.kind() != value_kind::text) return false;
  to = from.text();
  return true;
}

bool row::convert(detail::value_view from, std::string& to) {
  if (from.kind() != value_kind::text) return false;
  to.assign(from.text());
  return true;
}

bool row::convert(detail::value_view from, std::span<const std::byte>& to) {
  if (from.kind() != value_kind::blob && from.kind() != value_kind::text) return false;
  to = from.blob();
  return true;
}

bool row::convert(detail::value_view from, std::vector<std::byte>& to) {
  std::span<const std::byte> view;
  if (!convert(from, view)) return false;
  to.assign(view.begin(), view.end());
  return true;
}

}  // namespace tare::db
