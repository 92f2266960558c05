#pragma once

// A whole server process: one server per shard, signals, a grace period, and drain.
//
//   int main() {
//     tare::runtime rt({.shards = 0});                                   // one per processor
//     http::router routes;
//     routes.get("/", hello);
//     const auto ended = http::serve_until_stopped(rt, routes, {.listen = tare::net::endpoint::any(8080)});
//     if (!ended) fmt::print(stderr, "{}\n", ended.error().message());
//     return ended ? 0 : 1;
//   }
//
// SIGTERM or SIGINT stops it in two steps. First it continues to serve for `grace`, while its health page responds with
// 503, so that load balancers send new clients elsewhere. Then it stops as http::server does: it accepts no more,
// closes idle connections, and lets requests in progress complete for up to `server_options::drain_timeout`. The next
// signal ends the grace period, and the one after it the drain: it cancels the requests in progress. On SIGHUP the
// certificate is read again.

#include <tare/http/handler.hpp>
#include <tare/http/server.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/listener.hpp>
#include <tare/net/result.hpp>
#include <tare/net/tls.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tare {
class runtime;
}

namespace tare::http {

/// The sums over all shards.
struct serving_figures {
  std::size_t connections = 0;      ///< idle ones included
  std::size_t active_requests = 0;  ///< whose handlers have not ended
  std::uint64_t requests = 0;       ///< since the start
  bool stopping = false;            ///< a signal has arrived
};

struct serve_options {
  net::endpoint listen = net::endpoint::loopback(8080);
  /// A listening socket that is used instead, such as one passed by systemd (3).
  std::optional<int> adopted_socket = {};
  std::optional<net::tls::context> tls = {};
  server_options server = {};
  /// How long it serves on after the first signal, with a health page that says 503.
  std::chrono::nanoseconds grace{0};
  /// The path of a page for load balancers: 200, or 503 while stopping; "/healthz" is usual. Empty: none. The handler
  /// does not see these requests. If `is_healthy` is set, it has to return true for 200.
  std::string health_path = {};
  std::function<task<bool>()> is_healthy = {};
  /// The path of a page for Prometheus, whose text `metrics` makes, on the shard of the request; "/metrics" is usual.
  /// Empty: none. In a server with a memory budget, 64 KiB are reserved while the text is made.
  std::string metrics_path = {};
  std::function<task<std::string>(const serving_figures&)> metrics = {};
  /// Called on the shard that started it: when it listens on all shards, with the address; when the first signal has
  /// arrived; each time the certificate has been read again, with the outcome.
  std::function<void(const net::endpoint&)> on_listening = {};
  std::function<void()> on_stopping = {};
  std::function<void(const net::result<void>&)> on_reloaded = {};
};

/// Serves on all shards of the current runtime until a signal has stopped it. The handler is called on every shard,
/// possibly at the same time, so what it uses must be safe for that. A socket of a Unix path, or an adopted one, is
/// served by the current shard alone, because only ports can be shared by several listeners.
///
/// **Errors** The error of listening or of accepting; then all shards have stopped. std::errc::device_or_resource_busy
/// if another part of the process waits for SIGTERM, SIGINT or SIGHUP. Throws std::bad_alloc, and std::invalid_argument
/// if a path above is not empty and does not begin with a slash, or if a page has a function but no path, or, for
/// metrics, a path but no function.
/// **Cancellation** Stops like a signal, without a grace period, and throws `cancelled`.
/// **Threads** From a task of any shard. **Bytes** One http::server per shard.
task<net::result<void>> serve_until_stopped(handler handle, serve_options options = {});

/// The same from outside a task: runs it on shard 0 of `rt`.
///
/// **Errors** Also throws std::logic_error if called from a task.
[[nodiscard]] net::result<void> serve_until_stopped(runtime& rt, handler handle, serve_options options = {});

}  // namespace tare::http
