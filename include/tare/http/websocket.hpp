#pragma once

// The server's side of a WebSocket (RFC 6455), accepted by a handler.
//
//   tare::task<> echo(http::request& request, http::response& response) {
//     auto socket = co_await http::websocket::accept(request, response);
//     if (!socket) co_return;                                     // already responded with 400 or 426
//     while (auto got = co_await socket->receive()) {             // until either side closes
//       if (!co_await socket->send(got->kind, got->data)) break;
//     }
//   }
//
// Receiving messages also responds to pings, assembles frames, and checks that texts are UTF-8. When the handler
// returns, the socket is closed with code 1000; when the handler is cancelled or the server drains, with 1001.
// Extensions are not supported.
//
// Bytes: 8, and about 200 allocated separately. No buffer is held while nothing arrives.

#include <tare/http/error.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tare::http {

namespace detail {
class websocket_core;
}

struct websocket_options {
  std::size_t max_message_bytes = 1U << 20U;  ///< a larger message closes the socket with 1009
  std::vector<std::string> protocols = {};    ///< subprotocols, in order of preference
  std::chrono::nanoseconds receive_timeout{
      0};  ///< `receive` returns errc::too_slow if no frame arrives for this long; 0: never
};

/// Move-only. One task may receive while others send; senders take turns. The peer has the server's `write_timeout` to
/// accept each 64 KiB of a message or pong; otherwise sending fails with std::errc::timed_out. Valid until the handler
/// returns.
class websocket {
 public:
  enum class kind : std::uint8_t { text, binary };
  struct message {
    websocket::kind kind;
    std::string data;
  };

  /// Responds to the handshake. If the request is not a valid handshake, responds with 400, or with 426 if only the
  /// version is unsupported.
  [[nodiscard]] static task<result<websocket>> accept(request& asked, response& answer, websocket_options options = {});

  websocket(websocket&&) noexcept;
  websocket& operator=(websocket&&) noexcept;
  websocket(const websocket&) = delete;
  websocket& operator=(const websocket&) = delete;
  ~websocket();

  /// The next message. `errc::closed_by_peer` after the peer has closed; its close frame has then been answered.
  /// errc::bad_frame, errc::bad_text or errc::message_too_large if the peer violates a rule; this closes the socket
  /// with the corresponding code. std::errc::not_enough_memory if the memory budget has no room for the message; this
  /// closes the socket with 1013. A message counts toward the budget until the next call.
  [[nodiscard]] task<result<message>> receive();

  [[nodiscard]] task<result<void>> send(kind as, std::string_view data);
  [[nodiscard]] task<result<void>> send_text(std::string_view text) { return send(kind::text, text); }
  [[nodiscard]] task<result<void>> send_binary(std::string_view data) { return send(kind::binary, data); }
  /// With at most 125 bytes of data; `receive` consumes the pong.
  [[nodiscard]] task<result<void>> ping(std::string_view data = {});
  /// Afterwards nothing can be sent; `receive` continues until the peer has closed too. `reason` is truncated to 123
  /// bytes.
  [[nodiscard]] task<result<void>> close(std::uint16_t code = 1000, std::string_view reason = {});

  /// The code that the peer closed with, 1005 if it sent none, 0 if it has not closed.
  [[nodiscard]] std::uint16_t peer_code() const noexcept;
  /// The negotiated subprotocol; empty if none.
  [[nodiscard]] std::string_view protocol() const noexcept;

 private:
  explicit websocket(std::unique_ptr<detail::websocket_core> core) noexcept;
  std::unique_ptr<detail::websocket_core> core_;
};

}  // namespace tare::http
