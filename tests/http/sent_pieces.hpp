// What a server sends to the client of a WebSocket whose handler sends a message in pieces.

#pragma once

#include "http/memory_stream.hpp"
#include "http/websocket_client.hpp"

#include <tare/http/server.hpp>
#include <tare/http/websocket.hpp>

#include <functional>
#include <string>

namespace tare::test {

using websocket_handler = std::function<task<>(http::websocket&)>;
constexpr auto text = http::websocket::kind::text;

/// What the server sends after the handshake, in virtual time, to a client that does `behave` and then closes.
std::string output_of(const websocket_handler& handle, const std::function<task<>(wire&, http::server&)>& behave = {},
                      http::websocket_options options = {});

}  // namespace tare::test
