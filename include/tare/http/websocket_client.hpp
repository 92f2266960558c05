#pragma once

// The client's side of a WebSocket: `http::websocket::connect`.
//
//   auto socket = co_await http::websocket::connect("ws://127.0.0.1:8080/chat");     // result<websocket>
//   if (!socket) co_return report(socket.error());
//   (void)co_await socket->send_text("hello");
//   while (auto got = co_await socket->receive()) use(got->data);
//   (void)co_await socket->close_and_wait();
//
// The socket is an `http::websocket` as a server's handler has one (websocket.hpp), with the same rules in the other
// direction: what it sends is masked, and a masked frame that it receives is an error. Each mask comes from the
// system's random numbers, so that a page or a caller cannot choose the bytes that go over the wire (RFC 6455, 10.3).
//
// **Bytes** A record that holds the connection and the options, 400 or less without the TLS state; what is under way
// comes on top while it lasts, as on the server's side. Messages that arrive count toward the memory budget.

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>
#include <tare/http/websocket.hpp>
#include <tare/net/tls.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

namespace tare::http {

struct websocket_client_options {
  /// Of the socket: subprotocols, which are offered in this order, limits and times. `origins` has no meaning here.
  websocket_options socket = {};
  /// Further fields of the request, such as Authorization, Cookie or Origin.
  http::fields fields = {};
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);    ///< TCP and TLS; std::errc::timed_out
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(30);  ///< for the response: errc::too_slow
  /// For the server to accept each 64 KiB of what is sent: std::errc::timed_out.
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);
  std::size_t max_head_bytes = 64U << 10U;  ///< of the response: errc::head_too_large
  /// For wss. If empty, the system's authorities are trusted and every certificate is verified.
  std::optional<net::tls::context> tls = {};
  std::string user_agent = "tare";  ///< empty: not sent
  /// Called before `connect` returns errc::not_an_upgrade because the server has responded with another status than
  /// 101: to look at a 401, a redirect or a Retry-After.
  std::function<void(unsigned status, fields_view fields)> on_refusal = {};
};

// `websocket::connect(url, options)`; the URL is ws[s]://host[:port][/path][?query].
//
// **Errors** errc::bad_url; errc::not_an_upgrade if the server responds with another status than 101; errc::malformed
// if its 101 does not fit the request: another Sec-WebSocket-Accept, a subprotocol or an extension that was not
// offered; those of name resolution, of TLS, of the system, and the timeouts above. Throws std::invalid_argument for
// fields that the handshake sets itself, and for subprotocols that are not tokens or are repeated. **Cancellation**
// Closes the connection. **Threads** The socket belongs to the shard of the task that connects. **Bytes** Those of a
// request of http::client, until it returns.

}  // namespace tare::http
