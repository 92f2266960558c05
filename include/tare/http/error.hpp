#pragma once

// What can go wrong in HTTP beside what the socket reports. As `std::error_code`, comparable with the enumerators:
//
//   auto piece = co_await request.body().read();
//   if (!piece && piece.error() == http::errc::body_too_large) ...

#include <cstdint>
#include <expected>
#include <system_error>
#include <type_traits>

namespace tare::http {

enum class errc : std::uint8_t {
  malformed = 1,      ///< the peer's bytes are not HTTP, or not HTTP that two parties could only understand in one way
  truncated,          ///< the connection ended in the middle of a message
  head_too_large,     ///< the start line and the fields exceed the limit
  body_too_large,     ///< the body exceeds the limit
  too_slow,           ///< the peer let a time limit pass
  already_sent,       ///< the response is under way or complete
  wrong_length,       ///< a body of another size than was announced
  not_an_upgrade,     ///< the request asks for no WebSocket, or not in the right way
  closed_by_peer,     ///< WebSocket: the peer has closed
  bad_frame,          ///< WebSocket: the peer violates the protocol
  bad_text,           ///< WebSocket: text that is not UTF-8
  message_too_large,  ///< WebSocket: a message exceeds the limit
  bad_url,            ///< client: not a URL, or of a scheme that the client does not speak
};

[[nodiscard]] const std::error_category& category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc error) noexcept;

template <class T>
using result = std::expected<T, std::error_code>;

}  // namespace tare::http

template <>
struct std::is_error_code_enum<tare::http::errc> : std::true_type {};
