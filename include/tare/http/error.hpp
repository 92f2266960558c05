#pragma once

// Errors of HTTP, apart from those that the socket reports. They are `std::error_code`s, comparable with the
// enumerators:
//
//   auto piece = co_await request.body().read();
//   if (!piece && piece.error() == http::errc::body_too_large) ...

#include <cstdint>
#include <expected>
#include <system_error>
#include <type_traits>

namespace tare::http {

enum class errc : std::uint8_t {
  malformed = 1,      ///< the peer's bytes are not valid HTTP, or are ambiguous
  truncated,          ///< the connection ended in the middle of a message
  head_too_large,     ///< the start line and the fields exceed the limit
  body_too_large,     ///< the body exceeds the limit
  too_slow,           ///< the peer let a time limit pass
  already_sent,       ///< the response has begun or is complete
  wrong_length,       ///< the body's size differs from the announced length
  not_an_upgrade,     ///< WebSocket: the request is not a valid handshake, or the server does not accept it
  closed_by_peer,     ///< WebSocket: the peer has closed
  bad_frame,          ///< WebSocket: the peer violates the protocol
  bad_text,           ///< WebSocket: text is not UTF-8
  message_too_large,  ///< WebSocket: a message exceeds the limit
  bad_url,            ///< client: not a URL, or an unsupported scheme
};

[[nodiscard]] const std::error_category& category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc error) noexcept;

template <class T>
using result = std::expected<T, std::error_code>;

}  // namespace tare::http

template <>
struct std::is_error_code_enum<tare::http::errc> : std::true_type {};
