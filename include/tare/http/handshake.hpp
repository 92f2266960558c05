#pragma once

// The request that has opened a WebSocket or an event stream, for its handler.
//
//   routes.websocket("/rooms/{name}", [&](http::websocket socket, http::handshake request) -> tare::task<> {
//     const std::string room = request.param("name");
//     request.discard();                                             // its text is not kept while the handler waits
//     ...
//   });
//
// **Bytes** 8, and the text of the request until it is discarded or destroyed. A handler whose only parameter is the
// socket never gets it, and one that is not a coroutine itself, but returns one, keeps only what it passes on:
//
//   routes.websocket("/rooms/{name}", [&](http::websocket socket, http::handshake request) {
//     return chat(std::move(socket), rooms.find(request.param("name")));
//   });

#include <tare/http/fields.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http {

namespace detail {
class stored_head;  // src/http/stored_head.hpp
struct free_stored_head {
  void operator()(stored_head* freed) const noexcept;
};
using handshake_owner = std::unique_ptr<stored_head, free_stored_head>;
}  // namespace detail

/// Move-only. The functions are those of `http::request`; their views are valid until it is discarded or destroyed,
/// also if it is moved. After `discard`, everything is empty.
///
/// **Errors** Functions that return a std::string throw std::bad_alloc. **Cancellation** They do not wait. **Threads**
/// Any, one at a time.
class handshake {
 public:
  explicit handshake(detail::handshake_owner text) noexcept : text_(std::move(text)) {}

  [[nodiscard]] std::string_view target() const noexcept;
  [[nodiscard]] std::string_view path() const noexcept;
  [[nodiscard]] std::string_view query() const noexcept;
  [[nodiscard]] std::string_view authority() const noexcept;
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  [[nodiscard]] std::string param(std::string_view name) const;
  [[nodiscard]] fields_view fields() const noexcept;
  /// Of an event stream: the id of the last event that the client has received; empty if it has received none.
  [[nodiscard]] std::string_view last_event_id() const noexcept;

  /// Frees the text.
  void discard() noexcept { text_.reset(); }

 private:
  detail::handshake_owner text_;
};

}  // namespace tare::http
