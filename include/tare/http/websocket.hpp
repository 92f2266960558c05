#pragma once

// A WebSocket (RFC 6455), the server's side: what a handler makes of a request that asks for one.
//
//   tare::task<> echo(http::request& request, http::response& response) {
//     auto socket = co_await http::websocket::accept(request, response);
//     if (!socket) co_return;                                     // answered already, by 400 or 426
//     while (auto got = co_await socket->receive()) {             // until either side closes
//       if (!co_await socket->send(got->kind, got->data)) break;
//     }
//   }
//
// Pings are answered, frames put together, texts checked to be UTF-8 while messages are received. When the handler
// returns, the socket is closed with code 1000; when it is cancelled or the server drains, with 1001. Extensions are
// not spoken.
//
// Bytes: 8, and about 200 beside it. No buffer is held while nothing arrives.

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
  std::size_t max_message_bytes = 1U << 20U;  ///< a larger one closes the socket with 1009
  std::vector<std::string> protocols = {};    ///< subprotocols, the preferred one first
  std::chrono::nanoseconds receive_timeout{
      0};  ///< without a frame for so long, `receive` gives errc::too_slow; 0: never
};

/// Move-only. One task may receive while others send; senders take turns. A peer has the server's `write_timeout` for
/// each 64 KiB of a message or pong, or it fails with std::errc::timed_out. Valid until the handler returns.
class websocket {
 public:
  enum class kind : std::uint8_t { text, binary };
  struct message {
    websocket::kind kind;
    std::string data;
  };

  /// Answers the handshake. If the request is none, it is answered by 400, or by 426 if only the version is wrong.
  [[nodiscard]] static task<result<websocket>> accept(request& asked, response& answer, websocket_options options = {});

  websocket(websocket&&) noexcept;
  websocket& operator=(websocket&&) noexcept;
  websocket(const websocket&) = delete;
  websocket& operator=(const websocket&) = delete;
  ~websocket();

  /// The next message. `errc::closed_by_peer` when the peer closes, which has been answered by then; errc::bad_frame,
  /// errc::bad_text, errc::message_too_large when the peer breaks a rule, which closes the socket with the right code.
  /// std::errc::not_enough_memory where the memory budget has no room for it, which closes the socket with 1013. A
  /// message counts until the next call.
  [[nodiscard]] task<result<message>> receive();

  [[nodiscard]] task<result<void>> send(kind as, std::string_view data);
  [[nodiscard]] task<result<void>> send_text(std::string_view text) { return send(kind::text, text); }
  [[nodiscard]] task<result<void>> send_binary(std::string_view data) { return send(kind::binary, data); }
  /// With at most 125 bytes; the answer is swallowed by `receive`.
  [[nodiscard]] task<result<void>> ping(std::string_view data = {});
  /// Nothing can be sent any more; `receive` goes on until the peer has closed too. `reason` is cut off at 123 bytes.
  [[nodiscard]] task<result<void>> close(std::uint16_t code = 1000, std::string_view reason = {});

  /// The code that the peer closed with, 1005 if it gave none, 0 if it has not closed.
  [[nodiscard]] std::uint16_t peer_code() const noexcept;
  /// The subprotocol that was agreed on; empty if none was.
  [[nodiscard]] std::string_view protocol() const noexcept;

 private:
  explicit websocket(std::unique_ptr<detail::websocket_core> core) noexcept;
  std::unique_ptr<detail::websocket_core> core_;
};

}  // namespace tare::http
