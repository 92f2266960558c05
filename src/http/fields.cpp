#include <tare/http/fields.hpp>

#include "http/characters.hpp"

#include <cstring>
#include <stdexcept>

namespace tare::http {

namespace {

/// Includes its line feed, which the last line may lack.
std::string_view first_line(std::string_view lines) noexcept {
  const std::size_t end = lines.find('\n');
  return end == std::string_view::npos ? lines : lines.substr(0, end + 1);
}

field parse_line(std::string_view line) noexcept {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {.name = line, .value = {}};
  return {.name = line.substr(0, colon), .value = detail::without_blanks(line.substr(colon + 1))};
}

void check_sendable(std::string_view name, std::string_view value) {
  if (name.empty() || !detail::all(name, detail::token_character)) {
    throw std::invalid_argument("tare::http::fields: not the name of a field: '" + std::string(name) + "'");
  }
  if (!detail::all(value, detail::value_character)) {
    throw std::invalid_argument("tare::http::fields: the value of '" + std::string(name) +
                                "' has characters that are not allowed in a field, such as a line break");
  }
}

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (detail::lower(left[i]) != detail::lower(right[i])) return false;
  }
  return true;
}

field fields_view::iterator::operator*() const noexcept { return parse_line(first_line(rest_)); }

fields_view::iterator& fields_view::iterator::operator++() noexcept {
  rest_.remove_prefix(first_line(rest_).size());
  return *this;
}

fields_view::iterator fields_view::begin() const noexcept { return iterator(lines_); }
fields_view::iterator fields_view::end() const noexcept { return {}; }

std::optional<std::string_view> fields_view::find(std::string_view name) const noexcept {
  for (std::string_view rest = lines_; !rest.empty();) {
    const std::string_view line = first_line(rest);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        equal_ignoring_case(line.substr(0, name.size()), name)) {
      return parse_line(line).value;
    }
    rest.remove_prefix(line.size());
  }
  return std::nullopt;
}

std::size_t fields_view::count(std::string_view name) const noexcept {
  std::size_t found = 0;
  for (const field each : *this) found += equal_ignoring_case(each.name, name) ? 1U : 0U;
  return found;
}

bool fields_view::has_token(std::string_view name, std::string_view token) const noexcept {
  for (const field each : *this) {
    if (!equal_ignoring_case(each.name, name)) continue;
    for (std::string_view rest = each.value; !rest.empty();) {
      const std::size_t comma = rest.find(',');
      if (equal_ignoring_case(detail::without_blanks(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

fields& fields::add(std::string_view name, std::string_view value) {
  check_sendable(name, value);
  return append(name, value);
}

fields& fields::append(std::string_view name, std::string_view value) {
  lines_.reserve(lines_.size() + name.size() + value.size() + 4);
  lines_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

fields& fields::set(std::string_view name, std::string_view value) {
  check_sendable(name, value);
  if (!lines_.empty()) remove(name);
  return append(name, value);
}

std::size_t fields::remove(std::string_view name) {
  std::size_t removed = 0;
  for (std::size_t position = 0; position < lines_.size();) {
    const std::string_view line = first_line(std::string_view(lines_).substr(position));
    if (equal_ignoring_case(parse_line(line).name, name)) {
      lines_.erase(position, line.size());
      ++removed;
    } else {
      position += line.size();
    }
  }
  return removed;
}

}  // namespace tare::http
