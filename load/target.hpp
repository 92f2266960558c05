#pragma once

#include "inspect/error.hpp"

#include <tare/net/endpoint.hpp>

#include <string>
#include <string_view>

namespace tare::load {

/// What is asked for, and where.
struct target {
  net::endpoint address;
  std::string request;      ///< The bytes of a GET, ready to be sent.
  unsigned status = 200;    ///< What a right answer has.
  std::string description;  ///< The URL as it was given.
};

/// From "http://HOST[:PORT][/PATH][?QUERY]". A name is looked up here, which blocks: once, before anything runs.
[[nodiscard]] inspect::result<target> parse_target(std::string_view url);

/// The same request to another address.
[[nodiscard]] target target_at(const net::endpoint& address, std::string_view path);

}  // namespace tare::load
