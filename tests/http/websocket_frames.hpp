#pragma once

// What a client of a WebSocket sends and expects, as bytes.

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::test {

inline std::string handshake_for(std::string_view path, std::string_view more = {}) {
  return "GET " + std::string(path) +
         " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         std::string(more) + "\r\n";
}

/// A masked frame whose first byte is `first`.
inline std::string masked_frame(unsigned char first, std::string_view payload) {
  const std::string mask = "\x01\x80\x7f\xff";
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80U | payload.size());
  } else if (payload.size() < 0x10000) {
    frame += static_cast<char>(0x80U | 126U);
    frame += static_cast<char>(payload.size() >> 8U);
    frame += static_cast<char>(payload.size());
  } else {
    frame += static_cast<char>(0x80U | 127U);
    for (unsigned shift = 64; shift != 0; shift -= 8) frame += static_cast<char>(payload.size() >> (shift - 8));
  }
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

/// An unmasked one.
inline std::string server_frame(unsigned char first, std::string_view payload) {
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += static_cast<char>(payload.size());
  } else {
    frame += static_cast<char>(126);
    frame += static_cast<char>(payload.size() >> 8U);
    frame += static_cast<char>(payload.size());
  }
  return frame + std::string(payload);
}

inline std::string close_payload(unsigned code) { return {static_cast<char>(code >> 8U), static_cast<char>(code)}; }
inline std::string server_close(unsigned code) { return server_frame(0x88, close_payload(code)); }

}  // namespace tare::test
