#pragma once

#include "base/error.hpp"
#include "measure/weigh/connection_kind.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/net/tls.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace tare::load {

/// What to request, and where.
struct target {
  net::endpoint address;
  measure::connection_kind kind = measure::connection_kind::http;
  std::string request;                        ///< the bytes of a GET, ready to be sent
  unsigned status = 200;                      ///< the expected status
  std::string description;                    ///< the original URL
  std::optional<net::tls::context> tls = {};  ///< for https
  std::string host = {};                      ///< the host that the certificate must be issued for
  std::string body = {};                      ///< the expected body; empty: any
};

/// From "http[s]://HOST[:PORT][/PATH][?QUERY]". A name is looked up here, which blocks: once, before anything runs.
/// With https the system's authorities are trusted, or any certificate if not `verify`.
[[nodiscard]] base::result<target> parse_target(std::string_view url, bool verify = true);

/// A request to a server started by this program; with `tls`, or if the kind is one over TLS, accepts any certificate.
[[nodiscard]] base::result<target> target_at(const net::endpoint& address, std::string_view path, bool tls = false,
                                             measure::connection_kind kind = measure::connection_kind::http);

}  // namespace tare::load
