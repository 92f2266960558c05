#pragma once

// Admits a request only if there is room for everything it may ever hold.
//
//   http::server server(http::admitted(routes, 64 << 10));
//
// A server with a memory budget admits each request with what it holds at first; its share grows with its body and with
// `request::reserve`. Use `admitted` for a handler that allocates much memory without calling `reserve`: the full share
// is admitted at the beginning. If the response becomes a stream or a WebSocket, which may last forever and hold
// little, the share from then on follows what is actually held.
//
// **Bytes** None beyond the request's. **Threads** As for the handler itself.

#include <tare/http/handler.hpp>

#include <chrono>
#include <cstddef>

namespace tare::http {

/// Passes a request to `inner` if `tare::memory()` has room for `request_bytes`, the maximum that one request may use:
/// its body, its response, and everything in between.
///
/// **Errors** Otherwise responds with 503 and Retry-After, and keeps the connection. **Cancellation** It does not wait;
/// the inner handler is cancelled as without it.
[[nodiscard]] handler admitted(handler inner, std::size_t request_bytes,
                               std::chrono::seconds retry_after = std::chrono::seconds(1));

}  // namespace tare::http
