#pragma once

// Refuses requests for which the runtime's memory budget has no room.
//
//   http::server server(http::admitted(routes, 64 << 10));
//
// Bytes: a frame of about 100 while a request is under way.

#include <tare/http/handler.hpp>

#include <chrono>
#include <cstddef>

namespace tare::http {

/// Lets a request through to `inner` if `tare::memory()` has room for `request_bytes`, the most that one may take: its
/// body, its answer, and what lies between. Otherwise answers 503 with Retry-After, and keeps the connection.
[[nodiscard]] handler admitted(handler inner, std::size_t request_bytes,
                               std::chrono::seconds retry_after = std::chrono::seconds(1));

}  // namespace tare::http
