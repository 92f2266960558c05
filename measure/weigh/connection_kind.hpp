#pragma once

// The kinds of connections that can be weighed. docs/connections.md says what a server does for each.

#include "base/error.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tare::measure {

enum class connection_kind : std::uint8_t {
  http,           ///< HTTP/1.1 keep-alive, after a request
  https,          ///< the same over TLS
  websocket,      ///< after ten messages each way
  websocket_tls,  ///< the same over TLS
  sse,            ///< an event stream, after ten events
  long_poll,      ///< a request that waits for its response
  database,       ///< a request that waits for a row of a locked table
};

/// All of them, in report order.
[[nodiscard]] std::span<const connection_kind> connection_kinds();

/// As in options and lists of servers: "websocket-tls".
[[nodiscard]] std::string_view name_of(connection_kind kind);
/// As in tables: "WebSocket, TLS".
[[nodiscard]] std::string_view title_of(connection_kind kind);
[[nodiscard]] bool is_over_tls(connection_kind kind);

/// The error lists the kinds.
[[nodiscard]] base::result<connection_kind> parse_connection_kind(std::string_view name);

/// "http, websocket"
[[nodiscard]] std::string names_of(std::span<const connection_kind> kinds);

}  // namespace tare::measure
