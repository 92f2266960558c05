#include "http/authority.hpp"

#include "http/characters.hpp"

#include <tare/http/fields.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace tare::http::detail {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Unreserved characters, sub-delimiters, and percent signs followed by two hexadecimal digits.
bool is_registered_name(std::string_view text) noexcept {
  for (std::size_t position = 0; position < text.size(); ++position) {
    const char c = text[position];
    if (!is(c, host_character) || c == ':' || c == '[' || c == ']') return false;
    if (c != '%') continue;
    if (position + 2 >= text.size() || !is(text[position + 1], hex_digit) || !is(text[position + 2], hex_digit))
      return false;
    position += 2;
  }
  return !text.empty();
}

/// The text between brackets. Addresses of future versions (RFC 3986, "IPvFuture") are not supported, and zones are
/// meaningless to a server (RFC 6874, 1).
bool is_ipv6_address(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  const bool plain = std::ranges::all_of(text, [](char c) { return is(c, hex_digit) || c == ':' || c == '.'; });
  if (!plain) return false;
  std::ranges::copy(text, terminated.begin());
  in6_addr address{};
  return ::inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

/// Without leading zeros; "0" stays.
std::string_view significant(std::string_view port) noexcept {
  while (port.size() > 1 && port.front() == '0') port.remove_prefix(1);
  return port;
}

}  // namespace

bool is_port_or_empty(std::string_view text) noexcept {
  constexpr unsigned max_port = 65535;
  unsigned value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > max_port) return false;
  }
  return true;
}

std::optional<authority> parse_authority(std::string_view text) noexcept {
  std::size_t host_end = 0;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6_address(text.substr(1, bracket - 1))) return std::nullopt;
    host_end = bracket + 1;
  } else {
    host_end = std::min(text.find(':'), text.size());
    if (!is_registered_name(text.substr(0, host_end))) return std::nullopt;
  }
  authority found{.host = text.substr(0, host_end), .port = text.substr(host_end)};
  if (found.port.empty()) return found;
  if (found.port.front() != ':') return std::nullopt;
  found.port.remove_prefix(1);
  if (!is_port_or_empty(found.port)) return std::nullopt;
  return found;
}

bool is_same(const authority& left, const authority& right, std::string_view default_port) noexcept {
  const auto port_of = [&](const authority& source) {
    return source.port.empty() ? default_port : significant(source.port);
  };
  return equal_ignoring_case(left.host, right.host) && port_of(left) == port_of(right);
}

}  // namespace tare::http::detail
