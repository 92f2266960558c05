#include "base/toml_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace tare::base {

error toml_error(const std::filesystem::path& file, toml::source_position where, std::string_view what) {
  return {fault::input, fmt::format("{}:{}:{}: {}", file.string(), where.line, where.column, what)};
}

result<toml::table> parse_toml(std::string_view text, const std::filesystem::path& file) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& wrong) {
    const std::string what = fmt::format("not valid TOML: {}", wrong.description());
    return std::unexpected(toml_error(file, wrong.source().begin, what));
  }
}

toml_reader::toml_reader(std::filesystem::path file) : file_(std::move(file)) {}

void toml_reader::complain(toml::source_position where, std::string_view what) {
  if (!error_) error_ = toml_error(file_, where, what);
}

void toml_reader::allow_keys(const toml::table& table, std::span<const std::string_view> known,
                             std::string_view owner) {
  // A table has its keys in the order of the alphabet; the first in the file is the one to complain about.
  const toml::key* first = nullptr;
  for (const auto& [key, value] : table) {
    if (std::ranges::find(known, key.str()) != known.end()) continue;
    if (first == nullptr || key.source().begin < first->source().begin) first = &key;
  }
  if (first == nullptr) return;
  complain(*first, fmt::format("unknown key '{}' in {}; known: {}", first->str(), owner, fmt::join(known, ", ")));
}

std::vector<const toml::table*> toml_reader::tables(const toml::table& top, std::string_view key) {
  std::vector<const toml::table*> all;
  const auto* node = top.get(key);
  if (node == nullptr) return all;
  const auto* array = node->as_array();
  if (array == nullptr) {
    complain(*node, fmt::format("'{0}' must be written as [[{0}]]", key));
    return all;
  }
  for (const auto& element : *array) {
    const auto* table = element.as_table();
    if (table == nullptr) {
      complain(element, fmt::format("'{0}' must be written as [[{0}]]", key));
      return all;
    }
    all.push_back(table);
  }
  return all;
}

std::string toml_reader::text(const toml::node& node, std::string_view key) {
  const auto value = node.value_exact<std::string>();
  if (!value) {
    complain(node, fmt::format("'{}' must be a string", key));
    return {};
  }
  const bool printable = std::ranges::all_of(*value, [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  if (value->empty() || !printable) complain(node, fmt::format("'{}' must be one line, and not empty", key));
  return *value;
}

bool toml_reader::flag(const toml::table& table, std::string_view key) {
  const auto* node = table.get(key);
  if (node == nullptr) return false;
  const auto value = node->value_exact<bool>();
  if (!value) complain(*node, fmt::format("'{}' must be true or false", key));
  return value.value_or(false);
}

std::uint64_t toml_reader::count(const toml::node& node, std::string_view key) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < 1) complain(node, fmt::format("'{}' must be a whole number above 0", key));
  return static_cast<std::uint64_t>(std::max<std::int64_t>(value.value_or(1), 1));
}

}  // namespace tare::base
