#pragma once

#include <tare/net/endpoint.hpp>
#include <tare/net/tls.hpp>

#include <chrono>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>

namespace service {

struct options {
  std::string database;
  tare::net::endpoint listen = tare::net::endpoint::loopback(8080);
  bool socket_passed = false;  ///< by systemd, instead of `listen`
  unsigned shards = 1;
  std::size_t budget = std::size_t{512} << 20U;
  std::size_t connections = 8;         ///< to the database
  std::chrono::milliseconds grace{0};  ///< between informing load balancers and stopping
  bool seed = false;
  std::optional<tare::net::tls::context> tls;  ///< if empty, serves without TLS
};

/// The parsed arguments; otherwise the exit status, after a message has been printed.
[[nodiscard]] std::expected<options, int> parse_options(int argc, char** argv);

/// "512M" to bytes. The suffixes are K, M and G, powers of 1024; none means bytes. Nothing else is accepted.
[[nodiscard]] std::expected<std::size_t, std::string> parse_size(const std::string& text);

}  // namespace service
