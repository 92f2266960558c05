#pragma once

// Reads TOML files written by the user, for values with positions: an error is one line that begins with the place,
// such as "tare.toml:4:1: unknown key 'frmae' in [[budget]]; known: match, file, frame".

#include "base/error.hpp"

#include <toml++/toml.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tare::base {

/// `file` is used in messages.
[[nodiscard]] result<toml::table> parse_toml(std::string_view text, const std::filesystem::path& file);

/// "tare.toml:4:1: what is wrong".
[[nodiscard]] error toml_error(const std::filesystem::path& file, toml::source_position where, std::string_view what);

/// Reads the values of one file. The first error wins; what is read after it has no meaning. `key` is used in messages.
class toml_reader {
 public:
  explicit toml_reader(std::filesystem::path file);

  [[nodiscard]] const std::optional<base::error>& error() const { return error_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  void complain(const toml::node& where, std::string_view what) { complain(where.source().begin, what); }
  void complain(const toml::key& where, std::string_view what) { complain(where.source().begin, what); }
  /// About the file as a whole.
  void complain(std::string_view what) { complain(toml::source_position{.line = 1, .column = 1}, what); }

  /// `owner`: what the keys are in, such as "[[peer]]".
  void allow_keys(const toml::table& table, std::span<const std::string_view> known, std::string_view owner);
  /// The tables that are written as [[key]]; none if there is no such key.
  std::vector<const toml::table*> tables(const toml::table& top, std::string_view key);
  /// A non-empty string of one line.
  std::string text(const toml::node& node, std::string_view key);
  /// False if there is no such key.
  bool flag(const toml::table& table, std::string_view key);
  /// A whole number above 0.
  std::uint64_t count(const toml::node& node, std::string_view key);

 private:
  void complain(toml::source_position where, std::string_view what);

  std::filesystem::path file_;
  std::optional<base::error> error_;
};

}  // namespace tare::base
