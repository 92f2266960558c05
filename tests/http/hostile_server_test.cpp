// Servers that send what they must not, cut the connection at every byte, or vanish: the client ends with an error that
// says so, and with the right close code.

#include "http/websocket_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::errc;
using tare::http::websocket;
using tare::http::websocket_client_options;
using tare::test::close_code_of;
using tare::test::close_payload;
using tare::test::frames_of_client;
using tare::test::masked_frame;
using tare::test::record;
using tare::test::scripted_peer;
using tare::test::scripted_server;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::shake_hands;
using tare::test::switching;

class hostile_server : public tare::test::scripted_websocket {};

// --- the handshake --------------------------------------------------------------------------------------------------

struct handshake_case {
  const char* name;
  std::string response;  ///< "KEY" stands for the right key
  std::error_code error;
};

std::vector<handshake_case> handshake_cases() {
  const std::string line = "HTTP/1.1 101 Switching Protocols\r\n";
  const std::string upgrade = "upgrade: websocket\r\n";
  const std::string connection = "connection: Upgrade\r\n";
  const std::string accept = "sec-websocket-accept: KEY\r\n";
  const std::error_code malformed = make_error_code(errc::malformed);
  const std::error_code refused = make_error_code(errc::not_an_upgrade);
  return {
      {"good", line + upgrade + connection + accept + "\r\n", {}},
      {"other case", line + "UPGRADE: WebSocket\r\nConnection: keep-alive, UPGRADE\r\n" + accept + "\r\n", {}},
      {"protocol", line + upgrade + connection + accept + "sec-websocket-protocol: chat\r\n\r\n", {}},
      {"no upgrade", line + connection + accept + "\r\n", malformed},
      {"another upgrade", line + "upgrade: h2c\r\n" + connection + accept + "\r\n", malformed},
      {"no connection", line + upgrade + accept + "\r\n", malformed},
      {"close", line + upgrade + "connection: close\r\n" + accept + "\r\n", malformed},
      {"no accept", line + upgrade + connection + "\r\n", malformed},
      {"empty accept", line + upgrade + connection + "sec-websocket-accept:\r\n\r\n", malformed},
      {"wrong accept", line + upgrade + connection + "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       malformed},
      {"two accepts", line + upgrade + connection + accept + accept + "\r\n", malformed},
      {"accept twice in one", line + upgrade + connection + "sec-websocket-accept: KEY, KEY\r\n\r\n", malformed},
      {"unknown protocol", line + upgrade + connection + accept + "sec-websocket-protocol: other\r\n\r\n", malformed},
      {"two protocols", line + upgrade + connection + accept + "sec-websocket-protocol: chat, chat2\r\n\r\n",
       malformed},
      {"protocol twice",
       line + upgrade + connection + accept + "sec-websocket-protocol: chat\r\nsec-websocket-protocol: chat\r\n\r\n",
       malformed},
      {"empty protocol", line + upgrade + connection + accept + "sec-websocket-protocol:\r\n\r\n", malformed},
      {"extension", line + upgrade + connection + accept + "sec-websocket-extensions: permessage-deflate\r\n\r\n",
       malformed},
      {"200", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", refused},
      {"redirect", "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", refused},
      {"401", "HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\n\r\nno\n", refused},
      {"not HTTP", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", malformed},
      {"nothing", "", make_error_code(errc::truncated)},
  };
}

TEST_P(hostile_server, each_response_to_the_handshake) {
  for (const bool tls : {false, true}) {
    for (const handshake_case& each : handshake_cases()) {
      std::string request;
      const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
        request = co_await peer.head();
        std::string response = each.response;
        const std::string key = tare::http::detail::accept_key(tare::test::value_in(request, "sec-websocket-key"));
        // The key may contain these letters, too.
        for (std::size_t at = 0; (at = response.find("KEY", at)) != std::string::npos; at += key.size()) {
          response.replace(at, 3, key);
        }
        co_await peer.send(response);
        if (response.empty()) peer.say_end();
        co_await peer.until_closed();
      };
      with(tls, follow, [&](scripted_server& server) -> task<> {
        websocket_client_options chosen = trusting();
        chosen.socket.protocols.emplace_back("chat");
        chosen.socket.protocols.emplace_back("chat2");
        const auto socket = co_await websocket::connect(url_of(server), std::move(chosen));
        EXPECT_EQ(socket ? std::error_code() : socket.error(), each.error) << each.name;
        if (socket) {
          EXPECT_EQ(socket->protocol(), std::string_view(each.name) == "protocol" ? "chat" : "") << each.name;
        }
      });
      EXPECT_EQ(tare::test::value_in(request, "sec-websocket-version"), "13");
      EXPECT_EQ(tare::test::value_in(request, "connection"), "upgrade");
      EXPECT_EQ(tare::test::value_in(request, "sec-websocket-protocol"), "chat, chat2");
    }
  }
}

// --- frames ---------------------------------------------------------------------------------------------------------

struct frame_case {
  const char* name;
  std::string frames;
  std::error_code error;
  unsigned code;  ///< that the client closes with
};

std::vector<frame_case> frame_cases() {
  const std::error_code bad_frame = make_error_code(errc::bad_frame);
  const std::error_code bad_text = make_error_code(errc::bad_text);
  const std::error_code too_large = make_error_code(errc::message_too_large);
  const std::error_code closed = make_error_code(errc::closed_by_peer);
  const std::string part = server_frame(0x01, "part");
  std::vector<frame_case> all{
      {"masked", masked_frame(0x81, "a"), bad_frame, 1002},
      {"masked ping", masked_frame(0x89, "a"), bad_frame, 1002},
      {"masked close", masked_frame(0x88, close_payload(1000)), bad_frame, 1002},
      {"long ping", std::string("\x89\x7e\x00\x7e", 4) + std::string(126, 'a'), bad_frame, 1002},
      {"ping of 2^63", std::string("\x89\x7f\x80\0\0\0\0\0\0\0", 10), bad_frame, 1002},
      {"ping in pieces", server_frame(0x09, "a") + server_frame(0x80, "b"), bad_frame, 1002},
      {"close in pieces", server_frame(0x08, ""), bad_frame, 1002},
      {"continuation of nothing", server_frame(0x80, "a"), bad_frame, 1002},
      {"a message in a message", part + server_frame(0x81, "a"), bad_frame, 1002},
      {"bad text", server_frame(0x81, "\xff"), bad_text, 1007},
      {"half a character", server_frame(0x81, "\xe2\x82"), bad_text, 1007},
      {"half a character across frames", server_frame(0x01, "\xe2\x82") + server_frame(0x80, "a"), bad_text, 1007},
      {"a surrogate across frames", server_frame(0x01, "\xed") + server_frame(0x80, "\xa0\x80"), bad_text, 1007},
      {"2^63 bytes", std::string("\x82\x7f\x80\0\0\0\0\0\0\0", 10), bad_frame, 1002},
      {"2^63 - 1 bytes", std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10), too_large, 1009},
      {"a byte too many", std::string("\x82\x7e\x03\xe9", 4), too_large, 1009},
      {"a byte too many across frames", part + std::string("\x80\x7e\x03\xe5", 4), too_large, 1009},
      {"a long form of 5", std::string("\x82\x7e\x00\x05", 4), bad_frame, 1002},
      {"a longer form of 300", std::string("\x82\x7f\0\0\0\0\0\0\x01\x2c", 10), bad_frame, 1002},
      {"close", server_close(1000), closed, 1000},
      {"close with a reason", server_frame(0x88, close_payload(4999) + "because"), closed, 4999},
      {"close without a code", server_frame(0x88, ""), closed, 0},
      {"close in a message", part + server_close(1001), closed, 1001},
      {"close with half a code", server_frame(0x88, "a"), bad_frame, 1002},
      {"close with a bad reason", server_frame(0x88, close_payload(1000) + "\xff"), bad_text, 1007},
  };
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2999U, 5000U, 65535U}) {
    all.push_back({"close with a code that nobody may send", server_close(code), bad_frame, 1002});
  }
  for (const unsigned bit : {0x40U, 0x20U, 0x10U}) {
    for (const unsigned first : {0x81U, 0x82U, 0x01U, 0x88U, 0x89U, 0x8AU}) {
      all.push_back({"a reserved bit", server_frame(static_cast<unsigned char>(first | bit), ""), bad_frame, 1002});
    }
    all.push_back({"a reserved bit of a continuation", part + server_frame(static_cast<unsigned char>(0x80 | bit), ""),
                   bad_frame, 1002});
  }
  for (const unsigned code : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
    all.push_back({"a reserved opcode", server_frame(static_cast<unsigned char>(0x80 | code), "a"), bad_frame, 1002});
  }
  return all;
}

// Once in the segment of the handshake, once later.
TEST_P(hostile_server, each_violation_of_the_protocol) {
  for (const bool at_once : {true, false}) {
    for (const frame_case& each : frame_cases()) {
      std::string sent;
      const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
        const std::string then = at_once ? each.frames : "";
        (void)co_await shake_hands(peer, then);
        if (!at_once) {
          co_await tare::sleep_for(1ms);
          co_await peer.send(each.frames);
        }
        co_await record(peer, sent);
      };
      with(false, follow, [&](scripted_server& server) -> task<> {
        {
          websocket_client_options chosen;
          chosen.socket.max_message_bytes = 1000;
          auto socket = co_await websocket::connect(url_of(server), std::move(chosen));
          EXPECT_TRUE(socket) << each.name;
          if (!socket) co_return;
          auto got = co_await socket->receive();
          while (got) got = co_await socket->receive();
          EXPECT_EQ(got.error(), each.error) << each.name;
          const auto later = co_await socket->receive();
          EXPECT_EQ(later.error(), errc::closed_by_peer) << each.name;
          const auto refused = co_await socket->send_text("late");
          EXPECT_EQ(refused.error(), errc::already_sent) << each.name;
        }
        while (sent.empty()) co_await tare::sleep_for(1ms);
      });
      EXPECT_EQ(close_code_of(sent), each.code) << each.name;
      const auto frames = frames_of_client(sent);
      EXPECT_EQ(frames.size(), 1U) << each.name;
      for (const auto& frame : frames) EXPECT_EQ(frame.mask.size(), 4U) << each.name;
    }
  }
}

// --- cuts -----------------------------------------------------------------------------------------------------------

// The server's bytes end after each of them, by an end of stream or by a reset.
TEST_P(hostile_server, each_cut) {
  const std::string frames = server_frame(0x01, "in ") + server_frame(0x89, "p") + server_frame(0x80, "pieces") +
                             server_frame(0x82, std::string(200, 'x'));
  for (const bool reset : {false, true}) {
    for (std::size_t cut = 0;; ++cut) {
      std::size_t head_bytes = 0;
      bool is_whole = false;
      const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
        const std::string head = co_await peer.head();
        const std::string all = switching(head) + frames;
        head_bytes = all.size() - frames.size();
        is_whole = cut >= all.size();
        co_await peer.send(std::string_view(all).substr(0, cut));
        co_await tare::sleep_for(1ms);
        if (reset) {
          peer.reset();
        } else {
          peer.say_end();
          co_await peer.until_closed();
        }
      };
      std::vector<std::string> got;
      std::error_code error;
      bool is_open = false;
      with(false, follow, [&](scripted_server& server) -> task<> {
        auto socket = co_await websocket::connect(url_of(server));
        is_open = socket.has_value();
        if (!socket) {
          error = socket.error();
          co_return;
        }
        for (;;) {
          auto message = co_await socket->receive();
          if (!message) {
            error = message.error();
            break;
          }
          got.emplace_back(message->data);
        }
      });
      EXPECT_EQ(is_open, cut >= head_bytes) << cut;
      if (reset) {
        EXPECT_TRUE(error == std::errc::connection_reset || error == errc::truncated) << cut << error.message();
      } else {
        EXPECT_EQ(error, errc::truncated) << cut;
      }
      const std::size_t first_end = head_bytes + frames.size() - 204;
      EXPECT_EQ(got.size(), cut < first_end ? 0U : is_whole ? 2U : 1U) << cut;
      if (!got.empty()) {
        EXPECT_EQ(got[0], "in pieces");
      }
      if (is_whole) break;
    }
  }
}

// The handshake and the frames arrive in two pieces, cut at every byte, with a wait between them or none.
TEST_P(hostile_server, no_byte_after_the_handshake_is_lost) {
  const std::string frames = server_frame(0x81, "first") + server_frame(0x89, "p") + server_frame(0x82, "second");
  for (const bool tls : {false, true}) {
    for (std::size_t cut = 0; cut < 180; cut += tls ? 17 : 1) {
      std::string sent;
      const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
        const std::string head = co_await peer.head();
        const std::string all = switching(head) + frames;
        co_await peer.send(std::string_view(all).substr(0, cut));
        if (cut % 2 == 0) co_await tare::sleep_for(1ms);
        co_await peer.send(std::string_view(all).substr(std::min(cut, all.size())));
        co_await record(peer, sent);
      };
      with(tls, follow, [&](scripted_server& server) -> task<> {
        {
          auto socket = co_await websocket::connect(url_of(server), trusting());
          EXPECT_TRUE(socket);
          if (!socket) co_return;
          const auto first = co_await socket->receive();
          EXPECT_TRUE(first && first->data == "first") << cut;
          const auto second = co_await socket->receive();
          EXPECT_TRUE(second && second->data == "second") << cut;
        }
        while (sent.empty()) co_await tare::sleep_for(1ms);
      });
      const auto of_client = frames_of_client(sent);
      EXPECT_EQ(of_client.size(), 2U) << cut;
      if (of_client.size() == 2) {
        EXPECT_EQ(of_client[0].first, 0x8AU);
        EXPECT_EQ(of_client[0].payload, "p");
      }
    }
  }
}

// --- masks ----------------------------------------------------------------------------------------------------------

TEST_P(hostile_server, cannot_predict_a_mask) {
  std::string sent;
  constexpr int messages = 300;
  const auto follow = [&](scripted_peer& peer, int /*number*/) -> task<> {
    (void)co_await shake_hands(peer);
    co_await record(peer, sent);
  };
  with(false, follow, [&](scripted_server& server) -> task<> {
    {
      auto socket = co_await websocket::connect(url_of(server));
      EXPECT_TRUE(socket);
      if (!socket) co_return;
      for (int i = 0; i < messages; ++i) {
        const auto item = co_await socket->send_text("the same");
        EXPECT_TRUE(item);
      }
    }
    while (sent.empty()) co_await tare::sleep_for(1ms);
  });
  std::set<std::string> masks;
  std::array<int, 32> bits{};
  for (const auto& each : frames_of_client(sent)) {
    masks.insert(each.mask);
    for (std::size_t i = 0; i < bits.size(); ++i) {
      const unsigned byte = static_cast<unsigned char>(each.mask[i / 8]);
      bits.at(i) += static_cast<int>(byte >> i % 8 & 1U);
    }
  }
  // Two of 301 are equal once in 95,000 runs; a bit is set less than 80 times or more than 220 once in 10^15.
  EXPECT_GE(masks.size(), 300U);
  for (const int set : bits) EXPECT_TRUE(set >= 80 && set <= 220) << set;
}

}  // namespace

TARE_ON_ALL_REACTORS(hostile_server);
