#pragma once

// Lets a request in only if there is room for all that it may ever hold.
//
//   http::server server(http::admitted(routes, 64 << 10));
//
// A server with a memory budget admits each request with what it holds at first, and its share grows with its body and
// with what its handler says (`request::reserve`). A handler that says nothing, and makes something large by itself, is
// for this: the share is there from the beginning, until the response becomes a stream or a WebSocket, which may last
// for ever and hold little; from then on it follows what is held.
//
// Bytes: no more than the request's.

#include <tare/http/handler.hpp>

#include <chrono>
#include <cstddef>

namespace tare::http {

/// Lets a request through to `inner` if `tare::memory()` has room for `request_bytes`, the most that one may take: its
/// body, its response, and what lies between. Otherwise answers 503 with Retry-After, and keeps the connection.
[[nodiscard]] handler admitted(handler inner, std::size_t request_bytes,
                               std::chrono::seconds retry_after = std::chrono::seconds(1));

}  // namespace tare::http
