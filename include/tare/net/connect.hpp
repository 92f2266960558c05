#pragma once

// Connecting: to an address, or to a host by name.
//
//   auto s = co_await tare::net::connect(tare::net::endpoint::loopback(5432));     // result<stream>
//   auto t = co_await tare::net::connect("example.org", "443");
//
// By name it is happy eyeballs (RFC 8305): the addresses are tried in order, families taking turns, a new attempt every
// quarter of a second or as soon as one has failed, and the first that answers wins; the others are abandoned.

#include <tare/net/endpoint.hpp>
#include <tare/net/resolve.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tare::net {

struct connect_options {
  std::chrono::milliseconds attempt_delay{250};  ///< between the beginnings of two attempts
  resolve_options resolving = {};
};

/// Waits as long as the system does, minutes; `tare::timeout` limits it. Cancellation abandons the attempt. `to` is
/// copied.
[[nodiscard]] task<result<stream>> connect(endpoint to);

/// To one of several, as described above. The error is that of the last attempt to fail.
[[nodiscard]] task<result<stream>> connect(std::vector<endpoint> candidates, connect_options options);
[[nodiscard]] inline task<result<stream>> connect(std::vector<endpoint> candidates) {
  return connect(std::move(candidates), connect_options());
}

/// To a host and a service (a port, or a name of /etc/services).
[[nodiscard]] task<result<stream>> connect(std::string host, std::string service, connect_options options);
[[nodiscard]] inline task<result<stream>> connect(std::string host, std::string service) {
  return connect(std::move(host), std::move(service), connect_options());
}

}  // namespace tare::net
