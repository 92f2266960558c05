#pragma once

// A server's WebSocket that sends back what it receives.

#include <tare/http/router.hpp>
#include <tare/http/websocket.hpp>
#include <tare/task.hpp>

#include <utility>

namespace tare::test {

inline task<> echo_messages(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

/// At "/echo".
inline http::router echoing(http::websocket_options options = {}) {
  http::router routes;
  routes.websocket("/echo", echo_messages, std::move(options));
  return routes;
}

}  // namespace tare::test
