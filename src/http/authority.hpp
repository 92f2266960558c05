#pragma once

// The authority of a request: "host", "host:port", "[::1]:8080" (RFC 3986, 3.2.2 and 3.2.3, without user information:
// RFC 9110, 4.2.4 and 7.2).

#include <optional>
#include <string_view>

namespace tare::http::detail {

/// Views into the text that it was parsed from.
struct authority {
  std::string_view host;  ///< includes the brackets of an IPv6 address; never empty
  std::string_view port;  ///< digits; empty if there is none
};

/// std::nullopt if `text` is not an authority, or its host is empty.
[[nodiscard]] std::optional<authority> parse_authority(std::string_view text) noexcept;

/// Whether it may follow the colon after a host: digits of a number up to 65535, or nothing (RFC 3986, 3.2.3).
[[nodiscard]] bool is_port_or_empty(std::string_view text) noexcept;

/// Whether both name the same server: ignores case, and uses the scheme's port if none is given.
[[nodiscard]] bool is_same(const authority& left, const authority& right, std::string_view default_port) noexcept;

}  // namespace tare::http::detail
