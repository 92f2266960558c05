#pragma once

// Resolves names to addresses with c-ares, without blocking the shard.
//
//   auto found = co_await tare::net::resolve("localhost", "8080");      // result<std::vector<endpoint>>
//
// Reads /etc/hosts and /etc/resolv.conf like the C library, on the blocking pool. Nothing is cached.
//
// **Threads** Tasks of any shard. **Bytes** The state of c-ares while it resolves, and the addresses found.

#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace tare::net {

struct resolve_options {
  std::string servers = {};                 ///< such as "127.0.0.1:5353,[::1]:53"; replaces the system's servers
  std::chrono::milliseconds timeout{2000};  ///< for the first try at each server; later tries wait longer
  int tries = 3;                            ///< per server
};

/// c-ares's errors; see resolve_error.
[[nodiscard]] const std::error_category& resolve_category() noexcept;

/// The addresses of a host, best first (RFC 6724), each with the port of the service: a number, or a name from
/// /etc/services. Numeric addresses are used as they are.
///
/// **Errors** Those of `resolve_category`, whose default conditions are std::errc::timed_out, not_enough_memory and,
/// for a name that does not exist, host_unreachable. **Cancellation** Abandons the queries.
task<result<std::vector<endpoint>>> resolve(std::string host, std::string service, resolve_options options);
// No default argument: g++ 12 would destroy it twice in an await.
TARE_COROUTINE_WRAPPER inline task<result<std::vector<endpoint>>> resolve(std::string host, std::string service) {
  return resolve(std::move(host), std::move(service), resolve_options());
}

}  // namespace tare::net
