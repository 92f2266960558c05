#pragma once

// A WebSocket's server that follows a script: it shakes hands as the script says, sends given bytes, and records what
// the client sends.

#include "http/scripted_server.hpp"
#include "http/websocket/frame.hpp"
#include "http/websocket_frames.hpp"

#include <tare/http/websocket_client.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::test {

/// The value of a field of a head, whose name is in small letters.
inline std::string value_in(std::string_view head, std::string_view name) {
  const std::string begin = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(begin);
  if (at == std::string_view::npos) return {};
  head.remove_prefix(at + begin.size());
  return std::string(head.substr(0, head.find("\r\n")));
}

/// A 101 to the request with this head.
inline std::string switching(std::string_view request, std::string_view more = {}) {
  return "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: " +
         http::detail::accept_key(value_in(request, "sec-websocket-key")) + "\r\n" + std::string(more) + "\r\n";
}

/// What a client has sent, unmasked.
struct client_frame {
  unsigned first = 0;  ///< the first byte: the opcode, and 0x80 for a final frame
  std::string payload;
  std::string mask;
  bool complete = false;
};

/// The frames that a client has sent. An unmasked one has an empty mask, and is the last.
inline std::vector<client_frame> frames_of_client(std::string_view sent) {
  std::vector<client_frame> all;
  while (sent.size() >= 2) {
    client_frame next;
    next.first = static_cast<unsigned char>(sent[0]);
    const unsigned second = static_cast<unsigned char>(sent[1]);
    std::size_t length = second & 0x7FU;
    sent.remove_prefix(2);
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if ((second & 0x80U) != 0 && sent.size() >= more + 4) {
      if (more != 0) length = 0;
      for (std::size_t i = 0; i < more; ++i) length = length << 8U | static_cast<unsigned char>(sent[i]);
      next.mask = sent.substr(more, 4);
      sent.remove_prefix(more + 4);
      next.payload = sent.substr(0, length);
      next.complete = next.payload.size() == length;
      sent.remove_prefix(next.payload.size());
      for (std::size_t i = 0; i < next.payload.size(); ++i) {
        next.payload[i] = static_cast<char>(next.payload[i] ^ next.mask[i % 4]);
      }
    } else {
      sent = {};
    }
    all.push_back(next);
  }
  return all;
}

/// The code of the close frame that a client has sent last; 0 if it has sent none.
inline unsigned close_code_of(std::string_view sent) {
  const std::vector<client_frame> frames = frames_of_client(sent);
  if (frames.empty() || frames.back().first != 0x88 || frames.back().payload.size() < 2) return 0;
  const std::string& payload = frames.back().payload;
  return static_cast<unsigned>(static_cast<unsigned char>(payload[0]) << 8U | static_cast<unsigned char>(payload[1]));
}

/// Clients of scripted servers, in virtual time.
class scripted_websocket : public testing::on_reactors {
 protected:
  static void with(bool tls, script follows, const std::function<task<>(scripted_server&)>& use) {
    auto chosen = options();
    chosen.clock = clock_kind::virtual_time;
    runtime rt(chosen);
    auto body = [&]() -> task<> {
      scripted_server server(tls, std::move(follows));
      co_await server.serve_while(use(server));
    };
    rt.run(body());
  }

  [[nodiscard]] static std::string url_of(const scripted_server& server) {
    return "ws" + server.url().substr(std::string_view("http").size());
  }
  [[nodiscard]] static http::websocket_client_options trusting() {
    http::websocket_client_options chosen;
    chosen.tls = scripted_server::trusting().tls;
    return chosen;
  }
};

/// Shakes hands, and sends what follows in the same write.
inline task<bool> shake_hands(scripted_peer& peer, std::string_view then = {}) {
  const std::string head = co_await peer.head();
  const std::string response = switching(head) + std::string(then);
  co_await peer.send(response);
  co_return !head.empty();
}

/// Records what the client sends, until it closes the connection.
inline task<> record(scripted_peer& peer, std::string& sent) {
  bool open = true;
  while (open) open = co_await peer.more();
  sent = std::exchange(peer.unread(), {});
}

}  // namespace tare::test
