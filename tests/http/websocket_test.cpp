#include "http/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::errc;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::http::websocket;
using tare::http::websocket_options;
using tare::test::raw_client;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view handshake =
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::string masked(unsigned char first, std::string_view payload) {
  const std::string mask = "\x01\x80\x7f\xff";
  std::string frame{static_cast<char>(first), static_cast<char>(0x80U | payload.size())};
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame;
}

std::string close_frame(unsigned code) {
  return {static_cast<char>(0x88), 2, static_cast<char>(code >> 8U), static_cast<char>(code)};
}

constexpr std::array<std::string_view, 2> known_protocols{"b", "a"};

task<> echo_messages(request& request, response& response) {
  // Not written inside the await, because g++ 12 cannot keep an initializer list there.
  websocket_options options;
  options.max_message_bytes = 200;
  options.protocols.assign(known_protocols.begin(), known_protocols.end());
  auto socket = co_await websocket::accept(request, response, options);
  if (!socket) co_return;
  while (auto got = co_await socket->receive()) {
    if (!co_await socket->send(got->kind, got->data)) break;
  }
}

class http_websocket : public tare::test::http_test {};

TEST_P(http_websocket, shakes_hands_and_echoes) {
  with_server(echo_messages, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    // The first frame arrives together with the handshake.
    co_await client.send(std::string(handshake) + masked(0x81, "early"));
    const std::string head = co_await client.read_through("\r\n\r\n");
    EXPECT_THAT(head, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    EXPECT_THAT(head, HasSubstr("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_EQ(co_await client.read_bytes(7),
              "\x81\x05"
              "early");
    co_await client.send(masked(0x01, "in ") + masked(0x89, "ping") + masked(0x80, "pieces"));
    EXPECT_EQ(co_await client.read_bytes(6), "\x8a\x04ping");
    EXPECT_EQ(co_await client.read_bytes(11), "\x81\x09in pieces");
    EXPECT_EQ(serving.active_requests(), 1U);
    co_await client.send(masked(0x88,
                                "\x0f\xa0"
                                "bye"));  // 4000
    EXPECT_EQ(co_await client.read_all(), close_frame(4000));
  });
}

TEST_P(http_websocket, closes_with_the_right_code) {
  with_server(echo_messages, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    const auto answer_to = [&](std::string frames) -> task<std::string> {
      auto client = co_await raw_client::connect(port);
      co_await client.send(handshake);
      co_await client.read_through("\r\n\r\n");
      co_await client.send(frames);
      co_return co_await client.read_all();
    };
    EXPECT_EQ(co_await answer_to(masked(0x88, "")), std::string("\x88\x00", 2));
    EXPECT_EQ(co_await answer_to(std::string("\x81\x01"
                                             "a")),
              close_frame(1002));
    EXPECT_EQ(co_await answer_to(masked(0x81, "\xff")), close_frame(1007));
    EXPECT_EQ(co_await answer_to(masked(0x01, std::string(120, 'a')) + masked(0x80, std::string(120, 'a'))),
              close_frame(1009));
  });
}

TEST_P(http_websocket, refuses_other_requests) {
  with_server(echo_messages, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status, 400U);
    std::string other(handshake);
    other.replace(other.find("13\r\n"), 2, "12");
    const auto version = co_await client.ask(other);
    EXPECT_EQ(version.status, 426U);
    EXPECT_THAT(version.head, HasSubstr("sec-websocket-version: 13\r\n"));
    EXPECT_THAT(version.head, HasSubstr("upgrade: websocket\r\n"));
    EXPECT_THAT(version.head, HasSubstr("connection: upgrade\r\n"));
    std::string key(handshake);
    key.replace(key.find("dGhl"), 4, "!!!!");
    EXPECT_EQ((co_await client.ask(key)).status, 400U);
    // The connection has survived all of this.
    co_await client.send(handshake);
    EXPECT_THAT(co_await client.read_through("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
  });
}

TEST_P(http_websocket, agrees_on_a_protocol) {
  with_server(echo_messages, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    std::string with(handshake);
    with.insert(with.size() - 2, "Sec-WebSocket-Protocol: x, a, b\r\n");
    co_await client.send(with);
    EXPECT_THAT(co_await client.read_through("\r\n\r\n"), HasSubstr("sec-websocket-protocol: b\r\n"));
  });
}

TEST_P(http_websocket, sends_a_close_frame_when_the_handler_ends) {
  auto once = [](request& request, response& response) -> task<> {
    auto socket = co_await websocket::accept(request, response);
    if (request.query() == "close") {
      (void)co_await socket->close(4321, "enough");
      EXPECT_EQ((co_await socket->send_text("more")).error(), errc::already_sent);
      auto got = co_await socket->receive();
      EXPECT_FALSE(got);
      EXPECT_EQ(got.error(), errc::closed_by_peer);
      EXPECT_EQ(socket->peer_code(), 4321U);
    }
  };
  with_server(once, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(handshake);
    co_await client.read_through("\r\n\r\n");
    EXPECT_EQ(co_await client.read_all(), close_frame(1000));

    auto closed = co_await raw_client::connect(port);
    std::string asks(handshake);
    asks.replace(asks.find("/chat"), 5, "/?close");
    co_await closed.send(asks);
    co_await closed.read_through("\r\n\r\n");
    EXPECT_EQ(co_await closed.read_bytes(10),
              "\x88\x08\x10\xe1"
              "enough");
    co_await closed.send(masked(0x88, "\x10\xe1"));
    EXPECT_EQ(co_await closed.read_all(), "");
  });
}

TEST_P(http_websocket, sends_a_close_frame_when_the_server_drains) {
  with_server(echo_messages, {.drain_timeout = 50ms}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(handshake);
    co_await client.read_through("\r\n\r\n");
    serving.stop();
    EXPECT_EQ(co_await client.read_all(), close_frame(1001));
  });
}

TEST_P(http_websocket, limits_the_silence) {
  bool too_slow = false;
  auto wait = [&](request& request, response& response) -> task<> {
    auto socket = co_await websocket::accept(request, response, {.receive_timeout = 100ms});
    auto got = co_await socket->receive();
    too_slow = !got && got.error() == errc::too_slow;
  };
  with_server(wait, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(handshake);
    co_await client.read_through("\r\n\r\n");
    EXPECT_EQ(co_await client.read_all(), close_frame(1000));
    EXPECT_TRUE(too_slow);
  });
}

TEST_P(http_websocket, sends_from_several_tasks_whole_messages) {
  auto flood = [](request& request, response& response) -> task<> {
    auto socket = co_await websocket::accept(request, response);
    auto send = [&](char letter) -> task<> {
      const std::string message(100'000, letter);
      for (int i = 0; i < 20; ++i) (void)co_await socket->send_binary(message);
    };
    co_await tare::when_all(send('a'), send('b'), send('c'));
  };
  with_server(flood, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(handshake);
    co_await client.read_through("\r\n\r\n");
    for (int i = 0; i < 60; ++i) {
      EXPECT_EQ(co_await client.read_bytes(10), std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x86\xa0", 10));
      const std::string message = co_await client.read_bytes(100'000);
      EXPECT_EQ(message, std::string(message.size(), message[0]));
    }
    EXPECT_EQ(co_await client.read_all(), close_frame(1000));
  });
}

TARE_ON_ALL_REACTORS(http_websocket);

}  // namespace
