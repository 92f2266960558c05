#pragma once

// The parts of a URL that a client needs.

#include <tare/http/error.hpp>

#include <string>
#include <string_view>

namespace tare::http::detail {

struct url {
  bool tls = false;
  std::string host;  ///< the host to connect to: an IPv6 address without its brackets
  std::string port;  ///< "80" or "443" unless given
  std::string host_field;
  std::string target;  ///< path and query, without the fragment
};

/// errc::bad_url if it is not a URL. The schemes are http and https.
[[nodiscard]] result<url> parse_url(std::string_view text);

}  // namespace tare::http::detail
