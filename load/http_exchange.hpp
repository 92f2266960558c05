#pragma once

// The parts of an exchange over HTTP/1.1: sending bytes, and reading a response.

#include "load/failure.hpp"

#include <tare/http/detail/transport.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace tare::load {

/// The bytes must outlive the await.
[[nodiscard]] task<std::expected<void, failure>> send_all(http::detail::transport to, std::string_view bytes);

/// Reads a whole response, of this status and body, after which the connection stays open. A line end may follow the
/// body; an empty `body` is any.
[[nodiscard]] task<std::expected<void, failure>> receive_response(http::detail::transport from, unsigned status,
                                                                  std::string_view body);

/// Reads the response that makes the connection a WebSocket. Returns the bytes that came after it.
[[nodiscard]] task<std::expected<std::string, failure>> receive_switch(http::detail::transport from,
                                                                       std::string_view accept_key);

/// Reads a response that is an event stream, until it has had so many events.
[[nodiscard]] task<std::expected<void, failure>> receive_events(http::detail::transport from, std::size_t count);

}  // namespace tare::load
