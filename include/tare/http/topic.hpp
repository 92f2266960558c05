#pragma once

// Publishes to many WebSockets and event streams.
//
//   http::topic prices;                                               // in a task of the server's shard
//   routes.events("/prices", [&](http::event_stream out, http::handshake request) -> tare::task<> {
//     http::subscription feed(prices, out, request.last_event_id());
//     request.discard();
//     co_await out.wait();                                            // until the client leaves
//   });
//   routes.websocket("/prices", [&](http::websocket socket) -> tare::task<> {
//     http::subscription feed(prices, socket);
//     while (auto got = co_await socket.receive()) change(feed, got->data);
//   });
//   ...
//   prices.publish({.data = text, .id = number});
//
// What is published is encoded once for each kind of connection, and all subscribers share it. `publish` writes to each
// connection directly: no task of a subscriber runs. A connection that does not accept everything continues with the
// rest when its peer has made room; how much it may fall behind, and what happens then, is up to `topic_options`.
//
// A long poll is a request that waits for the next event, for clients that can do nothing else:
//
//   routes.get("/prices/next", [&](http::request& request, http::response& response) -> tare::task<> {
//     const auto known = request.fields().find("last-event-id").value_or("");
//     auto next = co_await prices.wait_for(request, known, 30s);
//     if (!next) co_return co_await respond_with_nothing(response, next.has_gap());
//     response.set("event-id", next.id());
//     (void)co_await response.send("text/plain", next.data());
//   });
//
// **Bytes** A subscription is 24, in the frame of its handler. What has been published is kept while a subscriber is
// behind, up to `max_backlog_bytes`, and for clients that connect again, up to `history_bytes`; both count toward the
// memory budget.

#include <tare/detail/link.hpp>
#include <tare/http/detail/poll_wait.hpp>
#include <tare/http/error.hpp>
#include <tare/http/events.hpp>
#include <tare/http/polled.hpp>
#include <tare/http/websocket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tare::http {

namespace detail {
class topic_core;
class lasting;
}  // namespace detail

class request;

/// What happens to a subscriber that has fallen behind by more than the topic keeps.
enum class slow_subscriber : std::uint8_t {
  drop_oldest,  ///< it misses the oldest of what it has not received
  latest_only,  ///< whenever it is behind, it misses everything but the latest
  disconnect,   ///< its connection is closed
};

struct topic_options {
  slow_subscriber slow = slow_subscriber::drop_oldest;
  std::size_t max_backlog_bytes = 1U << 20U;  ///< kept for all subscribers that are behind together
  std::size_t history_bytes = 0;              ///< kept for clients that connect again with a Last-Event-ID
};

/// Belongs to the shard that made it, and its subscribers' connections too. Must be constructed in a task, and outlive
/// its subscriptions and the requests that wait for it.
class topic {
 public:
  /// Throws std::bad_alloc.
  explicit topic(topic_options options = {});
  topic(const topic&) = delete;
  topic& operator=(const topic&) = delete;
  ~topic();

  /// Sends the event to all subscribers, without waiting. A WebSocket gets its data as a text message, which must then
  /// be UTF-8.
  ///
  /// **Errors** std::errc::invalid_argument if the name or the id has a line break or a zero;
  /// std::errc::not_enough_memory if the memory budget has no room, even after the subscribers that hold the most have
  /// been disconnected. Nothing is sent then. **Cancellation** Does not wait. **Threads** Tasks of the topic's shard.
  /// **Bytes** The encoded event, while somebody needs it.
  result<void> publish(const event& sent);
  result<void> publish(std::string_view data) {
    return publish(event{.data = data, .name = {}, .id = {}, .retry = {}});
  }

  /// Waits for the event after the one with that id, or without an id for what is published next, at most `limit`.
  /// Await it at once, for a `polled`. The head of the request is discarded, because the request may wait for long.
  ///
  /// It returns without an event when the time is up, when the server of the request drains, and when the topic does
  /// not know the id any more (`polled::has_gap`), which `history_bytes` prevents. A client that gets an event asks for
  /// the one after it, so it misses none.
  ///
  /// **Errors** None; aborts the program if the topic, the request and the task are not on one shard. **Cancellation**
  /// Throws `cancelled`; when the client leaves, its handler is cancelled. **Threads** Tasks of the topic's shard.
  /// **Bytes** 24 in the frame; a string of yours that the id refers to can be one of the same frame.
  detail::poll_request wait_for(request& request, std::string_view last_event_id,
                                std::chrono::nanoseconds limit) noexcept;
  /// The id of what was published last; empty if it has none. Valid until the next `publish`.
  [[nodiscard]] std::string_view last_id() const noexcept;

  [[nodiscard]] std::size_t subscribers() const noexcept;
  /// Requests that wait in `wait_for`.
  [[nodiscard]] std::size_t polls() const noexcept;
  /// Subscribers that have not received everything yet.
  [[nodiscard]] std::size_t behind() const noexcept;
  /// Bytes that are kept for them and for the history.
  [[nodiscard]] std::size_t kept_bytes() const noexcept;
  /// Number of events that subscribers have missed, summed over the subscribers.
  [[nodiscard]] std::uint64_t missed() const noexcept;

 private:
  friend class subscription;
  detail::topic_core* core_;
};

/// A connection receives what is published during the lifetime of this. Make it a local variable of the handler. It may
/// be one of several. What the handler itself sends comes between two events.
class alignas(8) subscription {
 public:
  subscription(topic& to, websocket& socket) noexcept;
  /// Begins after the event with that id, if the topic still has it. Otherwise `has_gap` is true, and it begins with
  /// what is published next, as it does without an id: send the client what it must know first.
  subscription(topic& to, event_stream& stream, std::string_view last_event_id = {}) noexcept;
  subscription(const subscription&) = delete;
  subscription& operator=(const subscription&) = delete;
  ~subscription();

  /// Whether the client may have missed events before it connected again.
  [[nodiscard]] bool has_gap() const noexcept { return has_gap_ != 0; }

 private:
  friend class detail::topic_core;
  friend class detail::lasting;

  tare::detail::link topic_ = tare::detail::no_link;
  tare::detail::link connection_;
  tare::detail::link next_ = tare::detail::no_link;
  tare::detail::link previous_ = tare::detail::no_link;
  tare::detail::link next_behind_ = tare::detail::no_link;  ///< of the same connection
  std::uint32_t at_ : 30 = 0;                               ///< the number of the next event, modulo 2^30
  std::uint32_t is_behind_ : 1 = 0;
  std::uint32_t has_gap_ : 1 = 0;
};
static_assert(sizeof(subscription) == 24);

}  // namespace tare::http
