#pragma once

#include "access.hpp"
#include "topics.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/net/tls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>

namespace push {

struct options {
  tare::net::endpoint listen = tare::net::endpoint::loopback(8080);
  std::size_t budget = std::size_t{512} << 20U;
  std::size_t max_event_bytes = std::size_t{64} << 10U;
  std::uint32_t send_buffer_bytes = 16U << 10U;
  topic_limits limits;
  std::string nats;  ///< URL of a server; empty: events are published in this process
  std::string stream = "push";
  access allowed;
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds grace{0};          ///< between informing load balancers and stopping
  std::optional<tare::net::tls::context> tls;  ///< if empty, serves without TLS
};

/// The parsed arguments; otherwise the exit status, after a message has been printed.
[[nodiscard]] std::expected<options, int> parse_options(int argc, char** argv);

}  // namespace push
