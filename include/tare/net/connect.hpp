#pragma once

// Connecting: to an address, or to a host by name.
//
//   auto s = co_await tare::net::connect(tare::net::endpoint::loopback(5432));     // result<stream>
//   auto t = co_await tare::net::connect("example.org", "443");
//
// Connecting by name uses Happy Eyeballs (RFC 8305): addresses are tried in order, with families alternating. A new
// attempt starts every quarter of a second, or as soon as one has failed. The first to succeed wins; the others are
// abandoned.
//
// **Errors** Those of connect(2) and of resolve.hpp; with several addresses, that of the last attempt to fail.
// **Cancellation** Abandons the attempts. **Threads** Call it from a task; the stream belongs to its shard. **Bytes**
// The frames of the attempts exist only until the connection is established.

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
  std::chrono::milliseconds attempt_delay{250};  ///< between the starts of two attempts
  resolve_options resolving = {};
};

/// Waits as long as the system does, which may be minutes; limit it with `tare::timeout`. `to` is copied.
task<result<stream>> connect(endpoint to);

/// Connects to one of several addresses, as described above.
task<result<stream>> connect(std::vector<endpoint> candidates, connect_options options);
TARE_COROUTINE_WRAPPER inline task<result<stream>> connect(std::vector<endpoint> candidates) {
  return connect(std::move(candidates), connect_options());
}

/// Connects to a host and a service (a port, or a name from /etc/services).
task<result<stream>> connect(std::string host, std::string service, connect_options options);
TARE_COROUTINE_WRAPPER inline task<result<stream>> connect(std::string host, std::string service) {
  return connect(std::move(host), std::move(service), connect_options());
}

}  // namespace tare::net
