#pragma once

// The server's side of an event stream (server-sent events): a response that does not end, for a browser's EventSource
// or any other client.
//
//   routes.events("/prices", [&](http::event_stream out, http::handshake request) -> tare::task<> {
//     auto news = prices.subscribe(request.last_event_id());
//     request.discard();
//     while (auto next = co_await news.receive()) {
//       if (!co_await out.send({.data = next->text, .id = next->number})) co_return;   // the client has left
//     }
//   });
//
// The server responds with the head, and calls the handler when the connection has become an event stream. When the
// client leaves, the handler is cancelled, whatever it waits for; when the handler returns, or the server drains, the
// stream ends, and the client connects again. Comments keep the connection alive, and find clients that have vanished.
//
// **Bytes** 4. An event stream whose handler waits holds no buffer, no parser and no frame of its own: 92 for the
// connection, 108 and the keys over TLS, and the handler's frame (docs/bytes.md).

#include <tare/detail/link.hpp>
#include <tare/http/detail/websocket_awaits.hpp>
#include <tare/http/error.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>
#include <tare/sleep.hpp>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

namespace tare::http {

namespace detail {
class lasting;
class upgrade;
}  // namespace detail

struct event {
  std::string_view data = {};          ///< of any number of lines
  std::string_view name = {};          ///< "event": what the client dispatches it as; empty: "message"
  std::string_view id = {};            ///< what the client sends as Last-Event-ID when it connects again; empty: none
  std::chrono::milliseconds retry{0};  ///< how long the client waits before it connects again; 0: as it likes
};

struct events_options {
  /// A comment is sent when nothing has been sent for this long; 0: never. A client whose system has not acknowledged
  /// anything for twice as long has vanished.
  std::chrono::nanoseconds heartbeat_interval = std::chrono::seconds(15);
};

/// Move-only. Senders take turns. The client has the server's `write_timeout` to accept each 64 KiB; otherwise sending
/// fails with std::errc::timed_out. Valid until the handler returns.
///
/// **Errors** std::errc::invalid_argument if the name or the id has a line break or a zero; nothing is sent then. After
/// an error of the connection, every send returns one. **Cancellation** A send that is cancelled while a part of its
/// event has been sent ends the sending: later sends return errc::already_sent. **Threads** The shard of the
/// connection.
/// **Bytes** 4.
class event_stream {
 public:
  event_stream(event_stream&& other) noexcept : connection_(std::exchange(other.connection_, tare::detail::no_link)) {}
  event_stream& operator=(event_stream&& other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
  }
  event_stream(const event_stream&) = delete;
  event_stream& operator=(const event_stream&) = delete;
  ~event_stream() = default;

  /// Await it for a result<void>. The event and what it refers to must outlive the await.
  detail::send_request send(const event& sent) noexcept {
    return {.data = reinterpret_cast<const char*>(&sent), .size = 0, .connection = connection_, .as = detail::as_event};
  }
  /// An event with nothing but data.
  detail::send_request send(std::string_view data) noexcept {
    return {.data = data.data(),
            .size = static_cast<std::uint32_t>(data.size()),
            .connection = connection_,
            .as = detail::as_event_data};
  }

  /// Waits until the handler is cancelled: for one that only subscribes to topics.
  ///
  /// **Cancellation** Throws `cancelled`. **Bytes** 0.
  static auto wait() noexcept { return sleep_for(std::chrono::hours(24 * 36500)); }

  [[nodiscard]] net::result<net::endpoint> peer() const noexcept;
  /// Bytes that could not be sent yet.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;

 private:
  friend class detail::lasting;
  friend class detail::upgrade;
  explicit event_stream(tare::detail::link connection) noexcept : connection_(connection) {}

  tare::detail::link connection_;
};
static_assert(sizeof(event_stream) == 4);

}  // namespace tare::http
