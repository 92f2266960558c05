#pragma once

// Clients whose handshake a server has accepted.

#include "http/loopback.hpp"
#include "http/websocket_frames.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tare::test {

/// Nothing if the server refuses, or closes the connection.
inline task<std::optional<raw_client>> try_open_websocket(std::uint16_t port, std::string_view path = "/",
                                                          std::string_view more_fields = {}) {
  const std::string asks = handshake_for(path, more_fields);
  std::optional<raw_client> client;
  client.emplace(co_await raw_client::connect(port));
  const auto sent = co_await client->stream().write(std::as_bytes(std::span(asks)));
  const std::string head = co_await client->read_through("\r\n\r\n");
  if (!sent || !head.starts_with("HTTP/1.1 101 ")) client.reset();
  co_return client;
}

/// At a server that has room.
inline task<raw_client> open_websocket(std::uint16_t port, std::string_view path = "/",
                                       std::string_view more_fields = {}) {
  auto client = co_await try_open_websocket(port, path, more_fields);
  if (!client) throw std::runtime_error("the server refuses the handshake");
  co_return std::move(*client);
}

/// At a server that may refuse the handshake for lack of memory: tries again for 5 seconds.
inline task<raw_client> open_websocket_when_there_is_room(std::uint16_t port) {
  constexpr int max_attempts = 50;
  for (int i = 0; i < max_attempts; ++i) {
    auto client = co_await try_open_websocket(port);
    if (client) co_return std::move(*client);
    co_await sleep_for(std::chrono::milliseconds(100));
  }
  throw std::runtime_error("the server has had no room for 5 seconds");
}

}  // namespace tare::test
