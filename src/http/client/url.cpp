#include "http/client/url.hpp"

#include "http/authority.hpp"
#include "http/characters.hpp"

#include <tare/http/fields.hpp>

#include <algorithm>

namespace tare::http::detail {

namespace {

/// Stricter than what a server accepts: a URL with a colon names a port, and without superfluous digits.
bool is_port_of_url(std::string_view text) noexcept {
  constexpr std::size_t max_digits = 5;
  return !text.empty() && text.size() <= max_digits && is_port_or_empty(text);
}

}  // namespace

result<url> parse_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::unexpected(errc::bad_url);
  const bool tls = equal_ignoring_case(text.substr(0, colon), "https");
  if (!tls && !equal_ignoring_case(text.substr(0, colon), "http")) return std::unexpected(errc::bad_url);
  text.remove_prefix(colon + 3);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, end);
  std::string_view target = text.substr(end);
  target = target.substr(0, target.find('#'));

  url parts{.tls = tls,
            .host = {},
            .port = tls ? "443" : "80",
            .host_field = std::string(authority),
            .target = std::string(target)};
  if (parts.target.empty() || parts.target.front() == '?') parts.target.insert(0, 1, '/');
  if (!all(parts.target, target_character) || !all(authority, host_character)) return std::unexpected(errc::bad_url);

  std::string_view after_host;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return std::unexpected(errc::bad_url);
    parts.host = authority.substr(1, close - 1);
    after_host = authority.substr(close + 1);
    // A zone has a meaning only on this machine (RFC 6874, section 3).
    if (const std::size_t zone = parts.host_field.find('%'); zone != std::string::npos) {
      parts.host_field.erase(zone, parts.host_field.find(']') - zone);
    }
  } else {
    const std::size_t position = std::min(authority.find(':'), authority.size());
    parts.host = authority.substr(0, position);
    after_host = authority.substr(position);
  }
  if (parts.host.empty()) return std::unexpected(errc::bad_url);
  if (after_host.empty()) return parts;
  if (after_host.front() != ':' || !is_port_of_url(after_host.substr(1))) return std::unexpected(errc::bad_url);
  parts.port = after_host.substr(1);
  return parts;
}

}  // namespace tare::http::detail
