#pragma once

// A WebSocket that a handler of requests has accepted: the connection stays with its exchange.

#include "http/websocket/upgrade.hpp"

#include <tare/http/detail/lasting_connection.hpp>
#include <tare/http/websocket.hpp>

namespace tare::http::detail {

class exchange;

struct accepted_socket final : other_lasting_connection {
  /// Throws std::bad_alloc.
  static accepted_socket& make(exchange& exchange, websocket_options with, const upgrade::agreed& agreed);
  accepted_socket(exchange& exchange, websocket_options with, served begins) noexcept;
  /// Frees it, and tells the exchange how the socket has ended.
  static void leave(accepted_socket& freed) noexcept;

  exchange& from;
  websocket_options options;
};

}  // namespace tare::http::detail
