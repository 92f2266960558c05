#pragma once

// Sends a message of a WebSocket in pieces: what is not known as a whole when it begins, or is too long to hold.
//
//   auto out = co_await socket.begin(http::websocket::kind::text);     // result<message_writer>
//   if (!out) co_return;
//   while (auto token = co_await model.next()) {
//     if (!co_await out->write(*token)) co_return;                     // each piece leaves at once
//   }
//   (void)co_await out->finish();
//
// The peer receives one message. If the peer can decompress, the message is compressed as a whole, and each piece is
// flushed: a compressor of its own takes about 40 KiB until the message ends, which the memory budget admits; if there
// is no room, the message is sent as it is.
//
// Bytes: 8, and a record of 40 until it is destroyed.

#include <tare/http/detail/websocket_awaits.hpp>

#include <string_view>
#include <utility>

namespace tare::http {

namespace detail {
class lasting;
struct outgoing_message;
}  // namespace detail

/// Move-only. `websocket::begin` makes it. It must not outlive the socket's handler, or the client's socket; otherwise
/// the program aborts with a message. Destroyed before `finish` has succeeded, it leaves the peer with half a message,
/// so it closes the socket: with 1011, or 1001 if the server stops. If nothing has been written, nothing has been sent,
/// and the socket continues.
///
/// **Errors** errc::already_sent once the socket is closed, or a piece has been sent only in part; those of the
/// connection, after which only destruction makes sense; std::errc::not_enough_memory if the memory budget has no room;
/// unless a part of the piece has been sent, it may be tried again. **Cancellation** A piece that has not begun is not
/// sent; one that is cancelled in the middle ends the sending, as with `websocket::send`. **Threads** The shard of the
/// connection.
/// **Bytes** 8.
class message_writer {
 public:
  message_writer(message_writer&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  message_writer& operator=(message_writer&& other) noexcept {
    message_writer moved(std::move(other));
    std::swap(message_, moved.message_);
    return *this;
  }
  message_writer(const message_writer&) = delete;
  message_writer& operator=(const message_writer&) = delete;
  ~message_writer();

  /// Await it, before `finish`, for a result<void>. Sends a piece, which must outlive the await and is less than 4 GiB;
  /// an empty one sends nothing.
  detail::send_request write(std::string_view piece) noexcept;
  /// The same with the last piece, which may be empty. Afterwards the writer must not be used.
  detail::send_request finish(std::string_view last = {}) noexcept;

 private:
  friend class detail::lasting;
  explicit message_writer(detail::outgoing_message* made) noexcept : message_(made) {}
  detail::send_request request(detail::opcode as, std::string_view payload) const noexcept;

  detail::outgoing_message* message_;
};

}  // namespace tare::http
