// Compressed messages on connections: with a client that is ours, one that is not, and one that is hostile.

#include "frame/resident_memory.hpp"
#include "http/echo_socket.hpp"
#include "http/loopback.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket_server.hpp"
#include "support/identity.hpp"
#include "support/sanitizers.hpp"

#include <tare/http/websocket_client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::errc;
using tare::http::router;
using tare::http::server;
using tare::http::websocket;
using tare::http::websocket_client_options;
using tare::http::websocket_options;
using tare::http::detail::message_codec;
using tare::test::close_code_of;
using tare::test::echo_messages;
using tare::test::frames_of_client;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::raw_client;
using tare::test::server_close;
using tare::test::server_frame;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

websocket_options compressing(std::size_t max_message_bytes = 1U << 20U) {
  websocket_options chosen;
  chosen.compress = true;
  chosen.max_message_bytes = max_message_bytes;
  return chosen;
}

router echoing(const websocket_options& options) {
  router routes;
  routes.websocket("/", echo_messages, options);
  routes.get("/accept", [options](tare::http::request& request, tare::http::response& response) -> task<> {
    auto socket = co_await websocket::accept(request, response, options);
    if (socket) co_await echo_messages(std::move(*socket));
  });
  return routes;
}

std::string compressed(std::string_view text) {
  message_codec codec;
  return std::string(codec.compress(text));
}

std::string decompressed(std::string_view packed) {
  message_codec codec;
  std::string text;
  const auto admit = [](std::size_t /*bytes*/) { return true; };
  return codec.decompress(packed, 10U << 20U, text, admit) == message_codec::outcome::complete ? text : "malformed";
}

/// A frame that a server sends, without its head of 2 or 4 bytes.
std::string payload_of(std::string_view frame) { return std::string(frame.substr(frame[1] == 126 ? 4 : 2)); }

class websocket_compression : public tare::test::http_test {};

task<raw_client> open_with(std::uint16_t port, std::string_view fields, std::string_view path, std::string& head) {
  auto client = co_await raw_client::connect(port);
  const std::string asks = handshake_for(path, fields);
  co_await client.send(asks);
  head = co_await client.read_through("\r\n\r\n");
  co_return client;
}

TEST_P(websocket_compression, is_negotiated_only_if_both_sides_want_it) {
  for (const bool wanted : {false, true}) {
    websocket_options chosen;
    chosen.compress = wanted;
    with_server(echoing(chosen), {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
      for (const char* path : {"/", "/accept"}) {
        std::string head;
        auto with = co_await open_with(port, offer, path, head);
        EXPECT_EQ(head.find("sec-websocket-extensions: permessage-deflate; server_no_context_takeover; "
                            "client_no_context_takeover\r\n") != std::string::npos,
                  wanted);
        auto without = co_await open_with(port, "", path, head);
        EXPECT_THAT(head, Not(HasSubstr("extensions")));
        auto other = co_await open_with(port, "Sec-WebSocket-Extensions: x-other\r\n", path, head);
        EXPECT_THAT(head, Not(HasSubstr("extensions")));
      }
    });
  }
}

TEST_P(websocket_compression, compresses_each_message_by_itself) {
  const std::string text(5'000, 't');
  with_server(echoing(compressing()), {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const char* path : {"/", "/accept"}) {
      std::string head;
      auto client = co_await open_with(port, offer, path, head);
      std::string first;
      for (int i = 0; i < 3; ++i) {
        // In pieces, with a ping between them.
        const std::string packed = compressed(text);
        const std::string frames =
            masked_frame(0x41, packed.substr(0, 5)) + masked_frame(0x89, "p") + masked_frame(0x80, packed.substr(5));
        co_await client.send(frames);
        EXPECT_EQ(co_await client.read_bytes(3), server_frame(0x8A, "p"));
        const std::string echoed = co_await client.read_bytes(2 + packed.size());
        EXPECT_EQ(echoed, server_frame(0xC1, packed));
        if (i == 0) first = echoed;
        EXPECT_EQ(echoed, first) << "it depends on a message before it";
        EXPECT_EQ(decompressed(payload_of(echoed)), text);
      }
      // Small messages are sent as they are, and so may be all that the client sends.
      const std::string small = masked_frame(0x81, "small") + masked_frame(0xC2, compressed(std::string(200, 'b')));
      co_await client.send(small);
      EXPECT_EQ(co_await client.read_bytes(7), server_frame(0x81, "small"));
      EXPECT_EQ(co_await client.read_bytes(204), server_frame(0x82, std::string(200, 'b')));
      const std::string bye = masked_frame(0x88, tare::test::close_payload(1000));
      co_await client.send(bye);
      EXPECT_EQ(co_await client.read_all(), server_close(1000));
    }
  });
}

struct bad_case {
  const char* name;
  std::string frames;
  unsigned code;
};

std::vector<bad_case> bad_cases() {
  const std::string packed = compressed(std::string(900, 'x'));
  return {
      {"not compressed data", masked_frame(0xC2, "\xff\xff\xff"), 1002},
      {"cut", masked_frame(0xC2, packed.substr(0, packed.size() / 2)), 1002},
      {"a bomb", masked_frame(0xC2, compressed(std::string(1U << 20U, '\0'))), 1009},
      {"a byte too many", masked_frame(0xC2, compressed(std::string(1001, 'x'))), 1009},
      {"more compressed than the limit", masked_frame(0xC2, std::string(1065, 'x')), 1009},
      {"bad text", masked_frame(0xC1, compressed(std::string(900, '\xff'))), 1007},
      {"half a character", masked_frame(0xC1, compressed(std::string(900, 'x') + "\xe2\x82")), 1007},
      {"a marked continuation", masked_frame(0x42, packed.substr(0, 3)) + masked_frame(0xC0, packed.substr(3)), 1002},
      {"a marked ping", masked_frame(0xC9, ""), 1002},
      {"a marked close", masked_frame(0xC8, ""), 1002},
      {"another bit", masked_frame(0xA2, "a"), 1002},
  };
}

TEST_P(websocket_compression, each_violation_closes) {
  with_server(echoing(compressing(1000)), {}, [](server& serving, std::uint16_t port) -> task<> {
    for (const bad_case& each : bad_cases()) {
      std::string head;
      auto client = co_await open_with(port, offer, "/", head);
      co_await client.send(each.frames);
      EXPECT_EQ(co_await client.read_all(), server_close(each.code)) << each.name;
    }
    std::string head;
    auto without = co_await open_with(port, "", "/", head);
    const std::string marked = masked_frame(0xC2, compressed(std::string(900, 'x')));
    co_await without.send(marked);
    EXPECT_EQ(co_await without.read_all(), server_close(1002)) << "it was not negotiated";
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
  });
}

// --- our client -----------------------------------------------------------------------------------------------------

task<> exchange_compressed(std::string url, websocket_client_options chosen) {
  auto socket = co_await websocket::connect(std::move(url), std::move(chosen));
  EXPECT_TRUE(socket) << socket.error().message();
  if (!socket) co_return;
  for (const std::size_t size : {0U, 100U, 255U, 256U, 5'000U, 70'000U, 1'000'000U}) {
    std::string text;
    for (int i = 0; text.size() < size; ++i) text += "message " + std::to_string(i % 89) + ", ";
    text.resize(size);
    const auto sent = co_await socket->send_text(text);
    EXPECT_TRUE(sent);
    const auto got = co_await socket->receive();
    EXPECT_TRUE(got && got->data == text && got->kind == websocket::kind::text) << size;
  }
  EXPECT_EQ(socket->buffered_bytes(), 0U);
  const auto closed = co_await socket->close_and_wait();
  EXPECT_TRUE(closed);
}

TEST_P(websocket_compression, works_between_our_client_and_our_server) {
  const support::identity& ours = support::identity::shared();
  const auto identity = tare::net::tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
  for (const bool by_client : {false, true}) {
    for (const bool by_server : {false, true}) {
      websocket_options of_server;
      of_server.compress = by_server;
      websocket_client_options of_client;
      of_client.socket.compress = by_client;
      of_client.tls = tare::net::tls::context::client({.authorities = ours.certificate, .alpn = {}}).value();
      with_server(echoing(of_server), {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
        co_await exchange_compressed("ws://127.0.0.1:" + std::to_string(port), of_client);
      });
      const auto over_tls = [&](server& /*serving*/, std::uint16_t port) -> task<> {
        co_await exchange_compressed("wss://localhost:" + std::to_string(port), of_client);
      };
      with_server(echoing(of_server), {}, over_tls, identity);
    }
  }
}

TEST_P(websocket_compression, a_topic_compresses_once) {
  const std::string text(10'000, 'n');
  router routes;
  tare::http::topic* news = nullptr;
  routes.websocket(
      "/",
      [&](websocket socket) -> task<> {
        const tare::http::subscription feed(*news, socket);
        (void)co_await socket.receive();
      },
      compressing());
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    tare::http::topic made({.history_bytes = 1U << 20U});
    news = &made;
    {
      std::vector<raw_client> clients;
      for (const std::string_view fields : {offer, offer, std::string_view()}) {
        std::string head;
        auto client = co_await open_with(port, fields, "/", head);
        clients.push_back(std::move(client));
      }
      while (made.subscribers() != 3) co_await tare::sleep_for(1ms);
      EXPECT_TRUE(made.publish(text));
      const std::string packed = server_frame(0xC1, compressed(text));
      const std::string whole = server_frame(0x81, text);
      EXPECT_EQ(co_await clients[0].read_bytes(packed.size()), packed);
      EXPECT_EQ(co_await clients[1].read_bytes(packed.size()), packed);
      EXPECT_EQ(co_await clients[2].read_bytes(whole.size()), whole);
      // Kept once in each form.
      EXPECT_GE(made.kept_bytes(), whole.size() + packed.size());
      EXPECT_LE(made.kept_bytes(), whole.size() + packed.size() + 500);
      // What does not become smaller is kept once, and counted once.
      const std::size_t before = made.kept_bytes();
      EXPECT_TRUE(made.publish("short"));
      EXPECT_EQ(co_await clients[0].read_bytes(7), server_frame(0x81, "short"));
      EXPECT_LE(made.kept_bytes(), before + 500);
    }
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
  });
}

// A message of a few kilobytes becomes larger than the budget has room for: it waits for room, and is then refused.
TEST_P(websocket_compression, what_a_message_becomes_is_admitted) {
  if (support::is_sanitized) GTEST_SKIP() << "its memory counts, too";
  std::error_code error;
  router routes;
  routes.websocket(
      "/",
      [&](websocket socket) -> task<> {
        const auto got = co_await socket.receive();
        if (!got) error = got.error();
      },
      compressing(200U << 20U));
  std::string bomb;
  const std::string part = compressed(std::string(1U << 20U, '\0'));
  for (int i = 0; i < 100; ++i) bomb += part + std::string("\0\0\xff\xff", 4);
  const auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    tare::http::server_options chosen;
    chosen.room_timeout = 500ms;
    server serving(routes, chosen);
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      std::string head;
      auto client = co_await open_with(port, offer, "/", head);
      const std::size_t before = tare::memory().promised();
      const std::string frame = masked_frame(0xC2, bomb);
      co_await client.send(frame);
      EXPECT_EQ(co_await client.read_all(), server_close(1013));
      EXPECT_EQ(error, std::errc::not_enough_memory);
      EXPECT_LE(tare::memory().promised(), before + 200'000);
      serving.stop();
    };
    co_await tare::when_all(serve(), use());
  };
  auto chosen = options();
  chosen.memory_limit = tare::detail::resident_bytes() + (32U << 20U);
  run(all(), chosen);
}

// --- a hostile server -----------------------------------------------------------------------------------------------

class compressing_server : public tare::test::scripted_websocket {};

TEST_P(compressing_server, may_only_accept_what_was_offered) {
  const std::string name = "sec-websocket-extensions: ";
  const std::string accepted = name + "permessage-deflate; server_no_context_takeover\r\n";
  struct response {
    std::string fields;
    bool to_offer;
    bool is_valid;
  };
  const std::vector<response> responses{
      {accepted, true, true},
      {accepted, false, false},
      {"", true, true},
      {name + "permessage-deflate\r\n", true, false},
      {name + "permessage-deflate; server_no_context_takeover; client_max_window_bits=9\r\n", true, false},
      {name + "x-webkit-deflate-frame\r\n", true, false},
      {accepted + accepted, true, false},
  };
  for (const response& each : responses) {
    const auto follow = [&](tare::test::scripted_peer& peer, int /*number*/) -> task<> {
      const std::string head = co_await peer.head();
      EXPECT_EQ(tare::test::value_in(head, "sec-websocket-extensions"),
                each.to_offer ? "permessage-deflate; server_no_context_takeover; client_no_context_takeover" : "");
      const std::string response = tare::test::switching(head, each.fields);
      co_await peer.send(response);
      co_await peer.until_closed();
    };
    with(false, follow, [&](tare::test::scripted_server& server) -> task<> {
      websocket_client_options chosen;
      chosen.socket.compress = each.to_offer;
      const auto socket = co_await websocket::connect(url_of(server), std::move(chosen));
      EXPECT_EQ(socket.has_value(), each.is_valid) << each.fields;
      if (!socket) {
        EXPECT_EQ(socket.error(), errc::malformed);
      }
    });
  }
}

TEST_P(compressing_server, cannot_make_a_client_hold_a_bomb) {
  const std::string text(3'000, 'x');
  std::string sent;
  const auto follow = [&](tare::test::scripted_peer& peer, int /*number*/) -> task<> {
    const std::string head = co_await peer.head();
    const std::string frames =
        server_frame(0xC1, compressed(text)) + server_frame(0xC2, compressed(std::string(1U << 20U, '\0')));
    const std::string response =
        tare::test::switching(head, "sec-websocket-extensions: permessage-deflate; server_no_context_takeover\r\n") +
        frames;
    co_await peer.send(response);
    co_await tare::test::record(peer, sent);
  };
  with(false, follow, [&](tare::test::scripted_server& server) -> task<> {
    {
      websocket_client_options chosen;
      chosen.socket = compressing(3'000);
      auto socket = co_await websocket::connect(url_of(server), std::move(chosen));
      EXPECT_TRUE(socket);
      if (!socket) co_return;
      const auto small = co_await socket->receive();
      EXPECT_TRUE(small && small->data == text);
      const auto echoed = co_await socket->send_text(text);
      EXPECT_TRUE(echoed);
      const auto bomb = co_await socket->receive();
      EXPECT_EQ(bomb.error(), errc::message_too_large);
    }
    while (sent.empty()) co_await tare::sleep_for(1ms);
  });
  const auto frames = frames_of_client(sent);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].first, 0xC1U);
  EXPECT_EQ(decompressed(frames[0].payload), text);
  EXPECT_EQ(close_code_of(sent), 1009U);
}

}  // namespace

TARE_ON_ALL_REACTORS(websocket_compression);
TARE_ON_ALL_REACTORS(compressing_server);
