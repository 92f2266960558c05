#pragma once

#include "base/error.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/net/tls.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace tare::load {

/// What is asked for, and where.
struct target {
  net::endpoint address;
  std::string request;                        ///< The bytes of a GET, ready to be sent.
  unsigned status = 200;                      ///< What a right answer has.
  std::string description;                    ///< The URL as it was given.
  std::optional<net::tls::context> tls = {};  ///< For https.
  std::string host = {};                      ///< What the certificate has to be for.
};

/// From "http[s]://HOST[:PORT][/PATH][?QUERY]". A name is looked up here, which blocks: once, before anything runs.
/// With https the system's authorities are trusted, or everybody if not `verify`.
[[nodiscard]] base::result<target> parse_target(std::string_view url, bool verify = true);

/// A request to a server that was started here; with `tls`, whatever its certificate says.
[[nodiscard]] base::result<target> target_at(const net::endpoint& address, std::string_view path, bool tls = false);

}  // namespace tare::load
