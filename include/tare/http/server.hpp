#pragma once

// An HTTP/1.1 server: keep-alive, pipelining, chunked and streamed bodies, and limits on everything a client can
// consume.
//
//   tare::task<> serve() {
//     auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(8080));
//     if (!listening) throw std::system_error(listening.error());
//     http::server server(routes);                             // a router, or any handler
//     co_await server.serve(std::move(*listening));            // until stop() or cancelled; then drains
//   }
//
// **Bytes** An idle connection is a frame of 56, a slot of 24 in the shard's table and 4.3 in the server's scope. It
// has no buffer, no parser and no timer. Everything a request needs is in frames that end with it.
//
// With `runtime_options::memory_limit`, everything that clients can make the server hold is admitted first: heads,
// bodies, messages. A request is admitted with what its head and its frames need; its share then follows what it holds.
// What does not fit gets a 503 with Retry-After. Connections that hold the most while their peers are idle make room
// for others (docs/architecture.md, "The memory budget").
//
// Requests that are malformed, ambiguous, too large, truncated or too slow get the appropriate 4xx or 5xx, and the
// connection is closed (docs/architecture.md, "HTTP").

#include <tare/cancellation.hpp>
#include <tare/error.hpp>
#include <tare/http/access_entry.hpp>
#include <tare/http/detail/connection_group.hpp>
#include <tare/http/detail/lasting_connection.hpp>
#include <tare/http/detail/transport.hpp>
#include <tare/http/handler.hpp>
#include <tare/net/byte_stream.hpp>
#include <tare/net/listener.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls.hpp>
#include <tare/scope.hpp>
#include <tare/shield.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace tare::http {

/// A timeout of 0 means no limit. Timeouts expire up to a quarter of a second late (net::stream::expires_after).
struct server_options {
  std::size_t max_head_bytes = 16U << 10U;   ///< request line and fields: 414 or 431
  unsigned max_fields = 100;                 ///< 431
  std::uint64_t max_body_bytes = 1U << 20U;  ///< 413; request_body::limit overrides it for one request
  std::chrono::nanoseconds head_timeout = std::chrono::seconds(10);  ///< from a head's first byte to its last: 408
  std::chrono::nanoseconds body_timeout = std::chrono::seconds(30);  ///< for each piece of a body: 408
  std::uint64_t body_min_rate = 240;  ///< bytes per second; a slower body is ended after `body_timeout`: 408
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);  ///< for each 64 KiB that the client must accept
  /// What the kernel accepts for a connection before its client has received it, beyond what is in flight
  /// (TCP_NOTSENT_LOWAT). The rest waits in the server, where it counts toward the budget: without this limit, the
  /// kernel holds up to 4 MB for a client that does not read. 0: no such limit.
  std::uint32_t max_unsent_bytes = 128U << 10U;
  /// The size of the kernel's send buffer of a connection (SO_SNDBUF), in flight and unsent; Linux allows twice that
  /// for its own records. At most this much is sent per round trip, so it suits small messages over many connections.
  /// 0: the kernel chooses, and adapts it to the connection.
  std::uint32_t send_buffer_bytes = 0;
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(75);  ///< between requests; closes silently
  std::chrono::nanoseconds request_timeout{0};  ///< cancels the handler; 503 if it has not begun to respond
  std::chrono::nanoseconds drain_timeout =
      std::chrono::seconds(10);         ///< for requests in progress when the server stops
  bool cancel_if_client_leaves = true;  ///< cancels a handler that has run for more than a tenth of a second
  bool send_date = true;
  /// The server accepts no connection while `tare::memory()` has no room for this many bytes: connections stay in the
  /// backlog. 0: always accepts.
  std::size_t connection_bytes = 0;
  bool shed_idle = false;  ///< while not accepting, closes the connections that have been idle longest
  /// The maximum that one request may hold: its head, its body, its response, and what the handler allocates. This much
  /// of `tare::memory()` is kept in reserve, so that requests that hold memory while they wait for more can complete.
  /// 0: a head and a body of the sizes above.
  std::size_t request_bytes = 0;
  std::chrono::nanoseconds room_timeout =
      std::chrono::seconds(2);                 ///< maximum wait for room for a body or `request::reserve`
  std::vector<std::string> urgent_paths = {};  ///< served from a part of the reserve when all others are refused
  /// Called with an exception thrown by a handler, except `cancelled`, before the 500 is sent. If empty, and without
  /// `on_response`, the exception is printed to standard error; so is an exception that this function throws.
  std::function<void(std::exception_ptr)> on_error = {};
  /// Called on the server's shard after each request, for an access log: when its handler has ended and its response
  /// has been sent or has failed, also if the server has refused the request; for a WebSocket or an event stream at its
  /// end. Must not wait. An exception that it throws is printed to standard error. If it is set and `on_error` is not,
  /// the exceptions of handlers are passed only to it, and not printed. A connection for which there is no memory for
  /// the frame that would serve the request is not reported. Costs a record of about 100 bytes and the target while the
  /// request is in progress.
  std::function<void(const access_entry&)> on_response = {};
};

namespace detail {

class server_core;

struct server_core_deleter {
  void operator()(server_core* core) const noexcept;
};

/// Serves the requests that have arrived (src/http/serve.cpp).
task<served> serve_requests(transport connection, connection_group& group);
[[nodiscard]] std::chrono::nanoseconds first_wait(const server_core& server) noexcept;
/// Passes an exception of a connection to `server_options::on_error`.
void report(const server_core& server, const std::exception_ptr& error) noexcept;

}  // namespace detail

/// **Threads** Belongs to the shard that made it. For several shards, make one server on each, with listeners that
/// share the port (net::listen_options::reuse_port). Must be constructed in a task, and exist until `serve` has
/// returned; otherwise the program aborts with a message.
class server {
 public:
  /// **Errors** Throws std::bad_alloc.
  explicit server(handler handle, server_options options = {});
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  /// Accepts and serves until `stop` is called or the task is cancelled; then stops accepting, closes idle connections,
  /// lets requests in progress complete for up to `drain_timeout`, and returns. May be called for several listeners.
  ///
  /// **Errors** The listener's, if accepting fails permanently. **Cancellation** Stops as `stop` does, then throws
  /// `cancelled`.
  task<net::result<void>> serve(net::listener listener);
  /// The same over TLS. A client gets `head_timeout` for the handshake; if it fails, the connection is closed silently.
  /// `with.reload()` takes effect for the next client. Ticket keys are erased when they expire.
  task<net::result<void>> serve(net::listener listener, net::tls::context with);

  /// Serves a single connection of any kind to its end.
  ///
  /// **Cancellation** Closes the connection if it is idle; a request in progress has `drain_timeout` to complete. Other
  /// connections are not affected. **Bytes** A frame beside that of the connection.
  template <net::byte_stream Stream>
    requires requires(Stream& s) { s.readable(); }
  task<> serve_stream(Stream stream) {
    detail::connection_group alone(*core_);
    co_await on_cancel(serve_connection(std::move(stream), detail::group_link(alone)),
                       [&alone]() noexcept { alone.begin_drain(); });
  }

  /// Makes `serve` stop. Call it from a task of the server's shard.
  void stop() noexcept;
  /// The same, and requests in progress have at most this long to complete, from now. During a drain it shortens the
  /// rest of it. A later `serve` drains with `drain_timeout` again.
  void stop(std::chrono::nanoseconds drain_timeout) noexcept;

  /// Number of connections of `serve`, including idle ones.
  [[nodiscard]] std::size_t connections() const noexcept;
  /// Number of requests whose handlers have not ended.
  [[nodiscard]] std::size_t active_requests() const noexcept;
  /// Number of WebSockets and event streams of `router::websocket` and `router::events`.
  [[nodiscard]] std::size_t lasting_connections() const noexcept;
  /// Number of responses so far.
  [[nodiscard]] std::uint64_t requests() const noexcept;

 private:
  template <class Serve>
  task<net::result<void>> accept_all(net::listener listener, Serve serve);
  static task<> serve_tls(net::stream below, net::tls::context with, detail::connection_group& group,
                          scope& connections);

  /// This is the frame of an idle connection, parked in readable(): only the stream and the group live across that
  /// await. Cancellation takes effect only there: a request is served to its end.
  template <class Stream>
  static task<> serve_connection(Stream stream, detail::group_link group) {
    try {
      detail::transport::of(stream).expires_after(detail::first_wait(group->server()));
      for (;;) {
        if (!co_await stream.readable()) {
          (void)stream.shutdown_write();  // over TLS, close_notify
          co_return;
        }
        detail::served then = co_await shield(detail::serve_requests(detail::transport::of(stream), *group));
        if (then.is_idle()) continue;
        if (!then.lasts()) co_return;
        const tare::detail::link lasting = detail::begin_lasting(stream, *group, then);
        if (lasting != tare::detail::no_link) {
          co_await tare::detail::child_request{.child = lasting, .is_shielded = false};
        }
        co_return;
      }
    } catch (const std::bad_alloc&) {
      co_return;  // No memory for a frame: this connection ends, the others continue.
    } catch (const cancelled&) {
      (void)stream.shutdown_write();
      throw;
    } catch (...) {
      detail::report(group->server(), std::current_exception());  // ends only this connection, too
    }
  }

  std::unique_ptr<detail::server_core, detail::server_core_deleter> core_;
};

}  // namespace tare::http
