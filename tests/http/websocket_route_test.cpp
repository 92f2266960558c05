// WebSockets of router::websocket: handshakes, messages that arrive in any pieces, both sides' ends.

#include "http/echo_socket.hpp"
#include "http/loopback.hpp"
#include "http/websocket_client.hpp"
#include "http/websocket_frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::errc;
using tare::http::handshake;
using tare::http::router;
using tare::http::server;
using tare::http::websocket;
using tare::http::websocket_options;
using tare::test::close_payload;
using tare::test::echoing;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::open_websocket;
using tare::test::raw_client;
using tare::test::server_close;
using tare::test::server_frame;
using testing::HasSubstr;
using testing::StartsWith;

class websocket_route : public tare::test::http_test {};

TEST_P(websocket_route, shakes_hands_and_echoes) {
  with_server(echoing(), {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    // The first frame arrives together with the handshake.
    const std::string first = handshake_for("/echo") + masked_frame(0x81, "early");
    co_await client.send(first);
    const std::string head = co_await client.read_through("\r\n\r\n");
    EXPECT_THAT(head, HasSubstr("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    EXPECT_EQ(co_await client.read_bytes(7), server_frame(0x81, "early"));
    EXPECT_EQ(serving.lasting_connections(), 1U);
    EXPECT_EQ(serving.active_requests(), 0U);
    const std::string ping = masked_frame(0x01, "in ") + masked_frame(0x89, "ping") + masked_frame(0x80, "pieces");
    co_await client.send(ping);
    EXPECT_EQ(co_await client.read_bytes(6), server_frame(0x8a, "ping"));
    EXPECT_EQ(co_await client.read_bytes(11), server_frame(0x81, "in pieces"));
    const std::string bye = masked_frame(0x88, close_payload(4000) + "bye");
    co_await client.send(bye);
    EXPECT_EQ(co_await client.read_all(), server_close(4000));
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
  });
}

TEST_P(websocket_route, gives_the_handler_the_request_until_it_discards_it) {
  std::string seen;
  router routes;
  routes.websocket("/rooms/{name}", [&](websocket socket, handshake request) -> task<> {
    seen = request.param("name") + " " + request.query_value("q").value_or("") + " " +
           std::string(request.fields().find("x-a").value_or("")) + " " + std::string(request.authority()) + " " +
           std::string(request.target());
    request.discard();
    EXPECT_EQ(request.target(), "");
    EXPECT_EQ(request.param("name"), "");
    (void)co_await socket.send_text("ready");
    (void)co_await socket.receive();
  });
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await open_websocket(port, "/rooms/a%20b?q=1", "X-A: b\r\n");
    EXPECT_EQ(co_await client.read_bytes(7), server_frame(0x81, "ready"));
    EXPECT_EQ(seen, "a b 1 b a /rooms/a%20b?q=1");
  });
}

TEST_P(websocket_route, refuses_other_requests_and_keeps_the_connection) {
  with_server(echoing(), {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")).status, 400U);
    EXPECT_EQ((co_await client.ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).status, 405U);
    std::string version = handshake_for("/echo");
    version.replace(version.find("13\r\n"), 2, "12");
    EXPECT_EQ((co_await client.ask(version)).status, 426U);
    const std::string two = handshake_for("/echo", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    EXPECT_EQ((co_await client.ask(two)).status, 400U);
    EXPECT_EQ(serving.lasting_connections(), 0U);
    const std::string valid = handshake_for("/echo");
    co_await client.send(valid);
    EXPECT_THAT(co_await client.read_through("\r\n\r\n"), StartsWith("HTTP/1.1 101 "));
  });
}

TEST_P(websocket_route, admits_pages_of_the_same_origin_and_of_a_list) {
  websocket_options options;
  options.origins.emplace_back("https://friend.example");
  with_server(echoing(options), {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    const auto status_for = [port](std::string field) -> task<unsigned> {
      auto client = co_await raw_client::connect(port);
      const std::string asks = handshake_for("/echo", field);
      co_await client.send(asks);
      const std::string head = co_await client.read_through("\r\n\r\n");
      co_return static_cast<unsigned>(std::stoul(head.substr(9, 3)));
    };
    EXPECT_EQ(co_await status_for(""), 101U);
    EXPECT_EQ(co_await status_for("Origin: http://a\r\n"), 101U);
    EXPECT_EQ(co_await status_for("Origin: https://A:443\r\n"), 101U);
    EXPECT_EQ(co_await status_for("Origin: https://friend.example\r\n"), 101U);
    EXPECT_EQ(co_await status_for("Origin: https://friend.example.evil\r\n"), 403U);
    EXPECT_EQ(co_await status_for("Origin: http://a:8080\r\n"), 403U);
    EXPECT_EQ(co_await status_for("Origin: http://b\r\n"), 403U);
    EXPECT_EQ(co_await status_for("Origin: null\r\n"), 403U);
    EXPECT_EQ(co_await status_for("Origin: http://a\r\nOrigin: http://b\r\n"), 403U);
  });
}

TEST_P(websocket_route, agrees_on_a_protocol) {
  std::string seen;
  router routes;
  websocket_options options;
  options.protocols.emplace_back("b");
  options.protocols.emplace_back("a");
  routes.websocket(
      "/",
      [&](websocket socket) -> task<> {
        seen = socket.protocol();
        (void)co_await socket.receive();
      },
      options);
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    const std::string asks = handshake_for("/", "Sec-WebSocket-Protocol: x, a\r\n");
    co_await client.send(asks);
    EXPECT_THAT(co_await client.read_through("\r\n\r\n"), HasSubstr("sec-websocket-protocol: a\r\n"));
    const std::string bye = masked_frame(0x88, "");
    co_await client.send(bye);
    (void)co_await client.read_all();
    EXPECT_EQ(seen, "a");
  });
}

// A conversation with every kind of frame, cut at each byte: the parts arrive separately.
TEST_P(websocket_route, understands_frames_cut_at_every_byte) {
  const std::string sent = masked_frame(0x01, "h\xc3") + masked_frame(0x89, "p") + masked_frame(0x00, "\xa9llo") +
                           masked_frame(0x8a, "") + masked_frame(0x80, " \xf0\x9f\x98\x80") +
                           masked_frame(0x82, std::string(300, 'b')) + masked_frame(0x81, "") +
                           masked_frame(0x88, close_payload(1000));
  const std::string expected = server_frame(0x8a, "p") + server_frame(0x81, "h\xc3\xa9llo \xf0\x9f\x98\x80") +
                               server_frame(0x82, std::string(300, 'b')) + server_frame(0x81, "") + server_close(1000);
  with_server(echoing(), {}, [&](server& serving, std::uint16_t port) -> task<> {
    for (std::size_t at = 0; at <= sent.size(); at += at < 60 || at + 20 > sent.size() ? 1 : 7) {
      auto client = co_await open_websocket(port, "/echo");
      co_await client.send(std::string_view(sent).substr(0, at));
      co_await tare::sleep_for(1ms);
      co_await client.send(std::string_view(sent).substr(at));
      EXPECT_EQ(co_await client.read_all(), expected) << "cut at " << at;
    }
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
  });
}

TEST_P(websocket_route, closes_with_the_right_code_for_liars) {
  const std::string huge_length{
      static_cast<char>(0x82), static_cast<char>(0xff), static_cast<char>(0x80), 0, 0, 0, 0, 0, 0, 0};
  const std::string large_length{static_cast<char>(0x82), static_cast<char>(0xff), 0x7f, 0, 0, 0, 0, 0, 0, 0};
  const std::string long_form{static_cast<char>(0x82), static_cast<char>(0xfe), 0, 5};
  struct liar {
    const char* name;
    std::string frames;
    unsigned code;
    errc error;
  };
  const std::vector<liar> liars{
      {"not masked",
       std::string("\x81\x01"
                   "a"),
       1002, errc::bad_frame},
      {"a length of 2^63", huge_length + "mask", 1002, errc::bad_frame},
      {"a length of 2^63 - 2^56", large_length + "mask", 1009, errc::message_too_large},
      {"a length in the long form", long_form + "mask", 1002, errc::bad_frame},
      {"a ping in pieces", masked_frame(0x09, "p"), 1002, errc::bad_frame},
      {"a ping that is too long", masked_frame(0x89, std::string(126, 'p')), 1002, errc::bad_frame},
      {"reserved bits", masked_frame(0xc1, "a"), 1002, errc::bad_frame},
      {"an unknown opcode", masked_frame(0x83, "a"), 1002, errc::bad_frame},
      {"an unknown control frame", masked_frame(0x8b, "a"), 1002, errc::bad_frame},
      {"a continuation of nothing", masked_frame(0x80, "a"), 1002, errc::bad_frame},
      {"a message inside a message", masked_frame(0x01, "a") + masked_frame(0x81, "b"), 1002, errc::bad_frame},
      {"bad text", masked_frame(0x81, "\xff"), 1007, errc::bad_text},
      {"bad text across pieces", masked_frame(0x01, "a\xe2\x82") + masked_frame(0x80, "b"), 1007, errc::bad_text},
      {"text that ends in a character", masked_frame(0x01, "a") + masked_frame(0x80, "\xe2\x82"), 1007, errc::bad_text},
      {"a close frame of one byte", masked_frame(0x88, "a"), 1002, errc::bad_frame},
      {"a reserved close code", masked_frame(0x88, close_payload(1005)), 1002, errc::bad_frame},
      {"a close reason that is not text", masked_frame(0x88, close_payload(1000) + "\xff"), 1007, errc::bad_text},
      {"too large", masked_frame(0x02, std::string(150, 'a')) + masked_frame(0x80, std::string(51, 'a')), 1009,
       errc::message_too_large},
  };
  std::error_code error;
  router routes;
  websocket_options options;
  options.max_message_bytes = 200;
  routes.websocket(
      "/echo",
      [&](websocket socket) -> task<> {
        auto got = co_await socket.receive();
        EXPECT_FALSE(got);
        if (!got) error = got.error();
        auto again = co_await socket.receive();
        EXPECT_FALSE(again);
        auto sent = co_await socket.send_text("more");
        EXPECT_FALSE(sent);
        if (!sent) {
          EXPECT_EQ(sent.error(), errc::already_sent);
        }
      },
      options);
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const liar& each : liars) {
      for (const bool at_once : {true, false}) {
        error.clear();
        auto client = co_await open_websocket(port, "/echo");
        if (at_once) {
          co_await client.send(each.frames);
        } else {
          for (const char byte : each.frames) {
            const auto sent = co_await client.stream().write(std::as_bytes(std::span(&byte, 1)));
            if (!sent) break;  // it has already been refused
          }
        }
        EXPECT_EQ(co_await client.read_all(), server_close(each.code)) << each.name;
        EXPECT_EQ(error, each.error) << each.name;
      }
    }
  });
}

TEST_P(websocket_route, ends_as_its_handler_does) {
  std::vector<std::string> errors;
  const tare::http::server_options options = tare::test::recording_errors(errors);
  router routes;
  routes.websocket("/returns", [](websocket) -> task<> { co_return; });
  routes.websocket("/throws", [](websocket socket) -> task<> {
    (void)co_await socket.send_text("a");
    throw std::runtime_error("lost");
  });
  routes.websocket("/throws-at-once", [](websocket) -> task<> { throw std::runtime_error("at once"); });
  routes.websocket("/closes", [](websocket socket) -> task<> {
    (void)co_await socket.close(4321, "enough");
    const auto sent = co_await socket.send_text("more");
    EXPECT_FALSE(sent);
    if (!sent) {
      EXPECT_EQ(sent.error(), errc::already_sent);
    }
    const auto got = co_await socket.receive();
    EXPECT_FALSE(got);
    if (!got) {
      EXPECT_EQ(got.error(), errc::closed_by_peer);
    }
    EXPECT_EQ(socket.peer_code(), 4321U);
  });
  with_server(routes, options, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto returned = co_await open_websocket(port, "/returns");
    EXPECT_EQ(co_await returned.read_all(), server_close(1000));
    auto thrown = co_await open_websocket(port, "/throws");
    EXPECT_EQ(co_await thrown.read_all(), server_frame(0x81, "a") + server_close(1011));
    auto early = co_await open_websocket(port, "/throws-at-once");
    EXPECT_EQ(co_await early.read_all(), server_close(1011));
    const std::vector<std::string> expected{"lost", "at once"};
    EXPECT_EQ(errors, expected);
    auto closed = co_await open_websocket(port, "/closes");
    EXPECT_EQ(co_await closed.read_bytes(10), server_frame(0x88, close_payload(4321) + "enough"));
    const std::string bye = masked_frame(0x88, close_payload(4321));
    co_await closed.send(bye);
    EXPECT_EQ(co_await closed.read_all(), "");
  });
}

TEST_P(websocket_route, is_closed_at_once_when_the_server_drains) {
  with_server(echoing(), {.drain_timeout = 10s}, [](server& serving, std::uint16_t port) -> task<> {
    auto idle = co_await open_websocket(port, "/echo");
    auto busy = co_await open_websocket(port, "/echo");
    const std::string part = masked_frame(0x01, "part");
    co_await busy.send(part);
    co_await tare::sleep_for(20ms);
    const auto begun = tare::now();
    serving.stop();
    EXPECT_EQ(co_await idle.read_all(), server_close(1001));
    EXPECT_EQ(co_await busy.read_all(), server_close(1001));
    EXPECT_LT(tare::now() - begun, 5s);
  });
}

TEST_P(websocket_route, ends_when_the_peer_has_gone) {
  std::vector<std::error_code> errors;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    auto got = co_await socket.receive();
    if (!got) errors.push_back(got.error());
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    const auto wait = [&](std::size_t count) -> task<> {
      while (errors.size() < count || serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
    };
    {
      auto client = co_await open_websocket(port);
      (void)client.stream().shutdown_write();
      co_await wait(1);
    }
    EXPECT_EQ(errors.back(), errc::truncated);
    {
      auto client = co_await open_websocket(port);
      co_await client.send(std::string_view(masked_frame(0x81, "cut")).substr(0, 4));
      client.stream().close();
    }
    co_await wait(2);
    EXPECT_EQ(errors.back(), errc::truncated);
    {
      auto client = co_await open_websocket(port);
      constexpr linger reset{.l_onoff = 1, .l_linger = 0};
      (void)::setsockopt(client.stream().native_handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      client.stream().close();
    }
    co_await wait(3);
    EXPECT_TRUE(errors.back());
  });
}

TEST_P(websocket_route, finds_a_peer_that_has_vanished) {
  websocket_options options;
  options.ping_interval = 200ms;
  options.ping_timeout = 300ms;
  std::error_code error;
  router routes;
  routes.websocket(
      "/",
      [&](websocket socket) -> task<> {
        for (;;) {
          auto got = co_await socket.receive();
          if (got) continue;
          error = got.error();
          co_return;
        }
      },
      options);
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    auto alive = co_await open_websocket(port);
    auto vanished = co_await open_websocket(port);
    EXPECT_EQ(serving.lasting_connections(), 2U);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(co_await alive.read_bytes(2), server_frame(0x89, ""));
      const std::string pong = masked_frame(0x8a, "");
      co_await alive.send(pong);
    }
    while (serving.lasting_connections() != 1) co_await tare::sleep_for(1ms);
    EXPECT_EQ(error, std::errc::timed_out);
    EXPECT_EQ(co_await vanished.read_all(), server_frame(0x89, ""));
    const std::string bye = masked_frame(0x88, "");
    co_await alive.send(bye);
    (void)co_await alive.read_all();
    EXPECT_EQ(error, errc::closed_by_peer);
  });
}

TARE_ON_ALL_REACTORS(websocket_route);

}  // namespace
