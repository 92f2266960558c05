#pragma once

// Chooses a handler by method and path.
//
//   http::router routes;
//   routes.get("/items/{id}", [&](http::request& q, http::response& r) -> tare::task<> {
//     co_await r.send("text/plain", shelf.find(q.param("id")));
//   });
//   routes.get("/files/{path...}", send_file);                       // the rest of the path, slashes included
//   http::server server(std::move(routes));
//
// A literal path segment takes precedence over "{name}", and "{name}" over "{name...}". A path without a route gets
// 404. A path that has routes, but none for the method, gets 405 with Allow, or 204 for OPTIONS. HEAD uses the handler
// of GET. Routing visits each segment once and allocates nothing.

#include <tare/http/events.hpp>
#include <tare/http/handler.hpp>
#include <tare/http/handshake.hpp>
#include <tare/http/websocket.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tare::http {

namespace detail {
/// A handler of what a request has become.
template <class F, class Connection>
concept answers_with =
    std::is_invocable_r_v<task<>, F&, Connection, handshake> || std::is_invocable_r_v<task<>, F&, Connection>;
}  // namespace detail

/// Copies share their routes. **Threads** Any may route; do not change routes while they are in use.
class router {
 public:
  /// Maximum number of names in a route.
  static constexpr std::size_t max_params = 8;

  router();

  /// **Errors** Throws std::invalid_argument if the path does not begin with a slash, has an invalid or repeated name
  /// or too many names, or if the route already exists.
  router& add(std::string_view method, std::string_view path, handler handle);
  router& get(std::string_view path, handler handle) { return add("GET", path, std::move(handle)); }
  router& post(std::string_view path, handler handle) { return add("POST", path, std::move(handle)); }
  router& put(std::string_view path, handler handle) { return add("PUT", path, std::move(handle)); }
  router& patch(std::string_view path, handler handle) { return add("PATCH", path, std::move(handle)); }
  router& del(std::string_view path, handler handle) { return add("DELETE", path, std::move(handle)); }

  /// A WebSocket (websocket.hpp): the server responds to the handshake of a GET, and `handle` is called when the
  /// connection has become a WebSocket. Its parameters are the socket, and the request if it wants that:
  /// `task<>(websocket, handshake)` or `task<>(websocket)`. A request that is not a valid handshake gets 400, 403 or
  /// 426.
  ///
  /// **Errors** As for `add`. **Cancellation** The task is cancelled when the server drains. **Bytes** docs/bytes.md.
  template <class Answer>
  router& websocket(std::string_view path, Answer handle, websocket_options options = {}) {
    static_assert(detail::answers_with<Answer, http::websocket>,
                  "tare: this cannot handle a WebSocket. Write a function or lambda like "
                  "[](tare::http::websocket socket) -> tare::task<> { ... }, or with a tare::http::handshake after it");
    if constexpr (std::is_invocable_r_v<task<>, Answer&, http::websocket, handshake>) {
      return add_websocket(path, std::move(handle), std::move(options), true);
    } else if constexpr (detail::answers_with<Answer, http::websocket>) {
      return add_websocket(
          path, [handle = std::move(handle)](http::websocket socket, handshake) { return handle(std::move(socket)); },
          std::move(options), false);
    }
  }

  /// An event stream (events.hpp): the server responds to a GET, and `handle` is called when the connection has become
  /// an event stream: `task<>(event_stream, handshake)` or `task<>(event_stream)`.
  ///
  /// **Errors** As for `add`. **Cancellation** The task is cancelled when the client leaves or the server drains.
  /// **Bytes** docs/bytes.md.
  template <class Answer>
  router& events(std::string_view path, Answer handle, events_options options = {}) {
    static_assert(detail::answers_with<Answer, event_stream>,
                  "tare: this cannot send events. Write a function or lambda like "
                  "[](tare::http::event_stream out) -> tare::task<> { ... }, or with a tare::http::handshake after it");
    if constexpr (std::is_invocable_r_v<task<>, Answer&, event_stream, handshake>) {
      return add_events(path, std::move(handle), options, true);
    } else if constexpr (detail::answers_with<Answer, event_stream>) {
      return add_events(
          path, [handle = std::move(handle)](event_stream out, handshake) { return handle(std::move(out)); }, options,
          false);
    }
  }

  /// The handler for requests that match no route; the default responds with 404.
  router& otherwise(handler handle);

  /// The chosen handler's task.
  task<> operator()(request& request, response& response) const;

 private:
  using websocket_handler = std::function<task<>(http::websocket, handshake)>;
  router& add_websocket(std::string_view path, websocket_handler handle, websocket_options options, bool takes_request);

  using events_handler = std::function<task<>(event_stream, handshake)>;
  router& add_events(std::string_view path, events_handler handle, events_options options, bool takes_request);

  struct node;
  struct tree;
  std::shared_ptr<tree> tree_;
};

}  // namespace tare::http
