#pragma once

// A WebSocket (RFC 6455): the server's side, and the client's (websocket_client.hpp).
//
//   http::router routes;
//   routes.websocket("/echo", [](http::websocket socket) -> tare::task<> {
//     while (auto got = co_await socket.receive()) {                  // until either side closes
//       if (!co_await socket.send(got->kind, got->data)) break;
//     }
//   });
//
// The server responds to the handshake, and calls the handler when the connection has become a WebSocket. The handler
// may take the request as well (handshake.hpp). Receiving messages also responds to pings, assembles frames, checks
// that texts are UTF-8, and finds peers that have vanished. When the handler returns, the socket is closed with code
// 1000; if it throws, with 1011 (server_options::on_error); when it is cancelled, which it is when the server drains,
// with 1001.
//
// **Bytes** 4. A WebSocket whose handler waits in `receive` holds no buffer, no parser and no frame of its own: 92 for
// the connection, 108 and the keys over TLS, and the handler's frame (docs/bytes.md). `accept` does the same in a
// handler of requests, whose frames stay as long.

#include <tare/http/detail/websocket_awaits.hpp>
#include <tare/http/error.hpp>
#include <tare/http/message_writer.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::http {

namespace detail {
class lasting;
class lasting_connection;
class upgrade;
}  // namespace detail

struct websocket_client_options;  // websocket_client.hpp

struct websocket_options {
  /// A larger message closes the socket with 1009; at most 4 GiB. Does not apply to what is received in pieces.
  std::size_t max_message_bytes = 1U << 20U;
  std::vector<std::string> protocols = {};  ///< subprotocols, in order of preference
  std::chrono::nanoseconds receive_timeout{
      0};  ///< `receive` returns errc::too_slow if no frame arrives for this long; 0: never
  /// Pages of these origins may connect, such as "https://example.com", beside those of the requested host itself; "*"
  /// means every page. A handshake from another origin gets 403. Clients other than browsers send no origin.
  std::vector<std::string> origins = {};
  /// If nothing has arrived for this long while a task receives, sends a ping; 0: never. Not with a `receive_timeout`.
  std::chrono::nanoseconds ping_interval = std::chrono::seconds(30);
  /// If nothing arrives within this time after the ping, the peer has vanished: `receive` returns std::errc::timed_out.
  std::chrono::nanoseconds ping_timeout = std::chrono::seconds(20);
  /// When the handler of a route has returned: for the peer to accept what is left, and then to close the connection.
  /// A client's socket closes without waiting; `close_and_wait` has a limit of its own.
  std::chrono::nanoseconds close_timeout = std::chrono::seconds(1);
  /// Compresses messages if the peer can, too (permessage-deflate, RFC 7692), each by itself. Off unless you turn it
  /// on, because it costs time for every message, and because the length of a compressed message tells a listener
  /// something about a secret that is in it beside text of somebody else's choice. An idle connection weighs the same.
  bool compress = false;
  /// Smaller messages are sent as they are; so are those of more than 1 MiB, and what does not become smaller.
  std::size_t min_compressed_bytes = 256;
};

/// The bytes of a message, which it owns: a std::string of half the size. Converts to std::string and std::string_view.
class message_data {
 public:
  message_data() noexcept = default;
  /// Throws std::bad_alloc.
  explicit message_data(std::string_view copied);
  message_data(message_data&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  message_data& operator=(message_data&& other) noexcept {
    message_data moved(std::move(other));
    std::swap(bytes_, moved.bytes_);
    std::swap(size_, moved.size_);
    return *this;
  }
  message_data(const message_data&) = delete;
  message_data& operator=(const message_data&) = delete;
  ~message_data();

  [[nodiscard]] std::string_view view() const noexcept { return {bytes_, size_}; }
  [[nodiscard]] const char* data() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  operator std::string_view() const noexcept { return view(); }  // NOLINT(google-explicit-constructor)
  operator std::string() const { return std::string(view()); }   // NOLINT(google-explicit-constructor)
  friend bool operator==(const message_data& left, std::string_view right) noexcept { return left.view() == right; }
  friend std::ostream& operator<<(std::ostream& to, const message_data& printed) { return to << printed.view(); }

 private:
  char* bytes_ = nullptr;
  std::uint32_t size_ = 0;
};

/// Move-only. One task may receive while others send; senders take turns. The peer has the server's or the client's
/// `write_timeout` to accept each 64 KiB of a message or pong; otherwise sending fails with std::errc::timed_out. A
/// server's socket is valid until its handler returns. A client's is one end of a connection: destroying it sends a
/// close frame with 1001 if nothing has closed it before, without waiting, and closes the connection. It must outlive
/// its subscriptions and the calls on it; otherwise the program aborts with a message.
///
/// **Errors** After an error of the connection, every call returns one. **Cancellation** A cancelled `receive` has
/// taken nothing. A send that is cancelled while a part of its frame has been sent ends the sending: nothing can follow
/// half a frame, so later sends return errc::already_sent, and the connection is closed when the handler returns, or
/// the client's socket is destroyed.
/// **Threads** The shard of the connection. **Bytes** 4.
class websocket {
 public:
  enum class kind : std::uint8_t { text, binary };
  struct message {
    [[no_unique_address]] message_data data;
    websocket::kind kind = websocket::kind::binary;
  };
  struct piece {
    [[no_unique_address]] message_data data;
    websocket::kind kind = websocket::kind::binary;  ///< of the message
    bool is_last = false;                            ///< the message ends with it
  };

  /// In a handler of requests: responds to the handshake. If the request is not a valid handshake, responds with 400,
  /// with 426 if only the version is unsupported, or with 403 if its origin is not allowed.
  static task<result<websocket>> accept(request& request, response& response, websocket_options options = {});

  /// A client's socket; see websocket_client.hpp.
  static task<result<websocket>> connect(std::string url);
  static task<result<websocket>> connect(std::string url, websocket_client_options options);

  websocket(websocket&& other) noexcept : connection_(std::exchange(other.connection_, tare::detail::no_link)) {}
  websocket& operator=(websocket&& other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
  }
  websocket(const websocket&) = delete;
  websocket& operator=(const websocket&) = delete;
  ~websocket() {
    if (connection_ != tare::detail::no_link) leave();
  }

  /// The next message; await it for a result<message>. `errc::closed_by_peer` after the peer has closed; its close
  /// frame has then been answered. errc::bad_frame, errc::bad_text or errc::message_too_large if the peer violates a
  /// rule; this closes the socket with the corresponding code. errc::truncated if the connection ends without a close
  /// frame. std::errc::not_enough_memory if the memory budget has no room for the message; this closes the socket with
  /// 1013. A message counts toward the budget until the next call.
  auto receive() noexcept { return detail::receive_request<message, false>{connection_}; }

  /// The next piece of a message, as soon as it has arrived; await it for a result<piece>. A message of any length can
  /// be received this way: what has not been received waits at the peer. About 16 KiB at most, more only if a
  /// `receive` was cancelled; the last one may be empty. A text may be cut within a character; whether it is UTF-8 is
  /// checked across pieces. A compressed message takes a decompressor of its own until it ends, which the memory budget
  /// admits. The errors are those of `receive`, which drops the rest of a message of which a piece has been received,
  /// or decompressed.
  auto receive_piece() noexcept { return detail::receive_request<piece, true>{connection_}; }

  /// Await it for a result<void>. The data must outlive the await, and are less than 4 GiB.
  detail::send_request send(kind as, std::string_view data) noexcept {
    return frame(as == kind::text ? detail::opcode::text : detail::opcode::binary, data);
  }
  detail::send_request send_text(std::string_view text) noexcept { return send(kind::text, text); }
  detail::send_request send_binary(std::string_view data) noexcept { return send(kind::binary, data); }
  /// Begins a message that is sent in pieces, when those before it have ended (message_writer.hpp). Meanwhile other
  /// sends of messages wait, and so do topics; pings, pongs and close frames go between the pieces.
  task<result<message_writer>> begin(kind as);
  /// With at most 125 bytes of data; `receive` consumes the pong.
  detail::send_request ping(std::string_view data = {}) noexcept {
    constexpr std::size_t max_bytes = 125;
    return frame(detail::opcode::ping, data.substr(0, max_bytes));
  }
  /// Afterwards nothing can be sent; `receive` continues until the peer has closed too. `reason` is truncated to 123
  /// bytes. Code 0: none.
  task<result<void>> close(std::uint16_t code = 1000, std::string_view reason = {});

  /// Closes, and receives until the peer has closed too; messages that arrive meanwhile are dropped. No other task may
  /// be receiving. std::errc::timed_out if the peer has not closed within `limit`.
  task<result<void>> close_and_wait(std::uint16_t code = 1000, std::string_view reason = {},
                                    std::chrono::nanoseconds limit = std::chrono::seconds(5));

  /// The code that the peer closed with, 1005 if it sent none, 0 if it has not closed.
  [[nodiscard]] std::uint16_t peer_code() const noexcept;
  /// The negotiated subprotocol; empty if none.
  [[nodiscard]] std::string_view protocol() const noexcept;
  [[nodiscard]] net::result<net::endpoint> peer() const noexcept;
  /// Bytes that the socket holds at present: parts of messages, and what could not be sent yet.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;

 private:
  friend class detail::lasting;
  friend class detail::upgrade;
  explicit websocket(tare::detail::link connection) noexcept : connection_(connection) {}
  detail::send_request frame(detail::opcode as, std::string_view data) const noexcept {
    return {.data = data.data(), .size = static_cast<std::uint32_t>(data.size()), .connection = connection_, .as = as};
  }
  void leave() noexcept;

  tare::detail::link connection_;
};
static_assert(sizeof(websocket) == 4 && sizeof(websocket::message) == 16 && sizeof(websocket::piece) == 16);

}  // namespace tare::http
