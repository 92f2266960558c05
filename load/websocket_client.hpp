#pragma once

// The client's side of a WebSocket (RFC 6455) whose server echoes each message.

#include "http/websocket/frame.hpp"
#include "load/failure.hpp"

#include <tare/http/detail/transport.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace tare::load {

class websocket_client {
 public:
  /// What a client offers in Sec-WebSocket-Key. It is the same for all, because it only has to prove that the server
  /// understands the protocol.
  static constexpr std::string_view key = "dGFyZSBob2xkcyBvbi4uLg==";

  /// Reads the response to the handshake, which has been sent.
  [[nodiscard]] task<std::expected<void, failure>> finish_handshake(http::detail::transport over);

  /// Sends a text and reads it back, so many times.
  [[nodiscard]] task<std::expected<void, failure>> echo(http::detail::transport over, unsigned messages);

  /// Takes what has arrived while the connection was idle: pings, and nothing else that matters.
  void keep(std::string_view bytes) { unread_.append(bytes); }

 private:
  /// Reads until the next message, and responds to pings.
  task<std::expected<std::string, failure>> receive(http::detail::transport over);
  task<std::expected<void, failure>> send(http::detail::transport over, http::detail::opcode as,
                                          std::string_view payload);

  static constexpr std::size_t max_message_bytes = 1U << 16U;

  http::detail::frame_reader reader_{http::detail::frame_reader::role::client, max_message_bytes};
  std::string unread_;
};

}  // namespace tare::load
