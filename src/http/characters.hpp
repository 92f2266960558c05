#pragma once

// Character classes (RFC 9110 and RFC 3986).

#include <array>
#include <cstdint>
#include <string_view>

namespace tare::http::detail {

enum character_class : std::uint8_t {
  token_character = 1,   ///< in methods and field names
  value_character = 2,   ///< in field values: visible, space, tab, or beyond ASCII
  host_character = 4,    ///< in Host: reg-name, IP-literal and port
  target_character = 8,  ///< in a request target: path, query, scheme and authority, but not fragment
  hex_digit = 16,
};

inline constexpr std::array<std::uint8_t, 256> character_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  const auto mark = [&classes](std::string_view characters, std::uint8_t as) {
    for (const char c : characters) classes[static_cast<unsigned char>(c)] |= as;
  };
  constexpr std::string_view letters_and_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  mark(letters_and_digits, token_character | host_character | target_character);
  mark("!#$%&'*+-.^_`|~", token_character);
  mark("-._~%!$&'()*+,;=:[]", host_character | target_character);
  mark("/?@", target_character);
  // Not in RFC 3986, but browsers send these unencoded.
  mark("|^`{}", target_character);
  mark("0123456789abcdefABCDEF", hex_digit);
  for (unsigned c = 0x20; c < 0x100; ++c) {
    if (c != 0x7F) classes[c] |= value_character;
  }
  classes['\t'] |= value_character;
  return classes;
}();

[[nodiscard]] constexpr bool is(char c, character_class wanted) noexcept {
  return (character_classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

[[nodiscard]] constexpr bool all(std::string_view text, character_class wanted) noexcept {
  for (const char c : text) {
    if (!is(c, wanted)) return false;
  }
  return true;
}

[[nodiscard]] constexpr std::string_view without_blanks(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

[[nodiscard]] constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace tare::http::detail
