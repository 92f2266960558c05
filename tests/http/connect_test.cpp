// The client's side of a WebSocket, against this library's server: in the clear and over TLS.

#include "http/echo_socket.hpp"
#include "http/loopback.hpp"
#include "support/identity.hpp"

#include <tare/http/websocket_client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
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
using tare::http::websocket_client_options;
using tare::http::websocket_options;
using tare::test::echoing;

std::string url_of(std::uint16_t port, std::string_view path = "/echo") {
  return "ws://127.0.0.1:" + std::to_string(port) + std::string(path);
}

std::string secret_url_of(std::uint16_t port, std::string_view path = "/echo") {
  return "wss://localhost:" + std::to_string(port) + std::string(path);
}

tare::net::tls::context server_identity() {
  const support::identity& ours = support::identity::shared();
  return tare::net::tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
}

websocket_client_options trusting() {
  websocket_client_options chosen;
  chosen.tls =
      tare::net::tls::context::client({.authorities = support::identity::shared().certificate, .alpn = {}}).value();
  return chosen;
}

class websocket_connect : public tare::test::http_test {};

task<> exchange_messages(websocket& socket) {
  for (const std::size_t size : {0U, 1U, 125U, 126U, 5'000U, 16'384U, 16'385U, 65'535U, 65'536U, 1'000'003U}) {
    const std::string text(size, 'm');
    const auto sent = co_await socket.send(size % 2 == 0 ? websocket::kind::text : websocket::kind::binary, text);
    EXPECT_TRUE(sent) << sent.error().message();
    const auto got = co_await socket.receive();
    EXPECT_TRUE(got) << got.error().message();
    if (!got) co_return;
    EXPECT_EQ(got->data.view() == text, true) << size;
    EXPECT_EQ(got->kind, size % 2 == 0 ? websocket::kind::text : websocket::kind::binary);
  }
  // Bytes of every value, so that a wrong mask shows.
  std::string all;
  for (int i = 0; i < 100'000; ++i) all += static_cast<char>(i * 7 % 256);
  const auto sent = co_await socket.send_binary(all);
  EXPECT_TRUE(sent);
  const auto got = co_await socket.receive();
  EXPECT_TRUE(got && got->data == all);
  const auto pinged = co_await socket.ping("are you there");
  EXPECT_TRUE(pinged);
  EXPECT_EQ(socket.buffered_bytes(), 0U);
}

TEST_P(websocket_connect, exchanges_messages_in_the_clear) {
  with_server(echoing(), {}, [](server& serving, std::uint16_t port) -> task<> {
    auto socket = co_await websocket::connect(url_of(port));
    EXPECT_TRUE(socket) << socket.error().message();
    if (!socket) co_return;
    co_await exchange_messages(*socket);
    const auto peer = socket->peer();
    EXPECT_TRUE(peer && peer->port() == port);
    const auto closed = co_await socket->close_and_wait(4000, "bye");
    EXPECT_TRUE(closed) << closed.error().message();
    EXPECT_EQ(socket->peer_code(), 4000U);
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
  });
}

TEST_P(websocket_connect, exchanges_messages_over_tls) {
  const auto use = [](server& serving, std::uint16_t port) -> task<> {
    auto socket = co_await websocket::connect(secret_url_of(port), trusting());
    EXPECT_TRUE(socket) << socket.error().message();
    if (!socket) co_return;
    co_await exchange_messages(*socket);
    const auto closed = co_await socket->close_and_wait();
    EXPECT_TRUE(closed) << closed.error().message();
    EXPECT_EQ(socket->peer_code(), 1000U);
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
  };
  with_server(echoing(), {}, use, server_identity());
}

TEST_P(websocket_connect, trusts_only_whom_it_is_told_to_trust) {
  const auto use = [](server& /*serving*/, std::uint16_t port) -> task<> {
    const auto unknown = co_await websocket::connect(secret_url_of(port));
    EXPECT_FALSE(unknown);
    const std::string by_address = "wss://127.0.0.2:" + std::to_string(port) + "/echo";
    const auto wrong_name = co_await websocket::connect(by_address, trusting());
    EXPECT_FALSE(wrong_name);
    const auto right = co_await websocket::connect(secret_url_of(port), trusting());
    EXPECT_TRUE(right);
  };
  with_server(echoing(), {}, use, server_identity());
}

TEST_P(websocket_connect, sends_its_fields_and_agrees_on_a_protocol) {
  std::string seen;
  websocket_options of_route;
  of_route.protocols.emplace_back("b");
  router routes;
  routes.websocket(
      "/room",
      [&](websocket socket, handshake request) -> task<> {
        seen = std::string(request.fields().find("authorization").value_or("")) + " " + std::string(request.query()) +
               " " + std::string(socket.protocol());
        (void)co_await socket.receive();
      },
      of_route);
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    websocket_client_options chosen;
    chosen.fields.add("authorization", "Bearer x");
    chosen.socket.protocols.emplace_back("a");
    chosen.socket.protocols.emplace_back("b");
    auto socket = co_await websocket::connect(url_of(port, "/room?q=1"), std::move(chosen));
    EXPECT_TRUE(socket);
    if (!socket) co_return;
    EXPECT_EQ(socket->protocol(), "b");
    const auto closed = co_await socket->close_and_wait();
    EXPECT_TRUE(closed);
    EXPECT_EQ(seen, "Bearer x q=1 b");
  });
}

TEST_P(websocket_connect, says_why_a_server_refuses) {
  with_server(echoing(), {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    unsigned status = 0;
    websocket_client_options chosen;
    chosen.fields.add("origin", "http://elsewhere.example");
    chosen.on_refusal = [&status](unsigned got, tare::http::fields_view /*fields*/) { status = got; };
    const auto forbidden = co_await websocket::connect(url_of(port), chosen);
    EXPECT_EQ(forbidden.error(), errc::not_an_upgrade);
    EXPECT_EQ(status, 403U);
    const auto unknown = co_await websocket::connect(url_of(port, "/nothing"), std::move(chosen));
    EXPECT_EQ(unknown.error(), errc::not_an_upgrade);
    EXPECT_EQ(status, 404U);
  });
}

TEST_P(websocket_connect, refuses_what_is_not_a_handshake) {
  run([]() -> task<> {
    for (const char* url : {"http://127.0.0.1/", "ws:/127.0.0.1/", "ws://127.0.0.1/#part", "ws://", "echo", "",
                            "ws://127.0.0.1:99999/"}) {
      const auto refused = co_await websocket::connect(url);
      EXPECT_EQ(refused.error(), errc::bad_url) << url;
    }
    for (const char* own : {"upgrade", "Sec-WebSocket-Key", "sec-websocket-version", "sec-websocket-protocol",
                            "sec-websocket-extensions", "connection", "host"}) {
      websocket_client_options chosen;
      chosen.fields.add(own, "a");
      bool has_thrown = false;
      try {
        (void)co_await websocket::connect("ws://127.0.0.1:1/", std::move(chosen));
      } catch (const std::invalid_argument&) {
        has_thrown = true;
      }
      EXPECT_TRUE(has_thrown) << own;
    }
    for (const char* second : {"", "a b", "a,b", "first"}) {
      websocket_client_options chosen;
      chosen.socket.protocols.emplace_back("first");
      chosen.socket.protocols.emplace_back(second);
      bool has_thrown = false;
      try {
        (void)co_await websocket::connect("ws://127.0.0.1:1/", std::move(chosen));
      } catch (const std::invalid_argument&) {
        has_thrown = true;
      }
      EXPECT_TRUE(has_thrown) << second;
    }
  }());
}

// Several tasks send, one receives, and the server sends by itself.
TEST_P(websocket_connect, sends_whole_frames_of_several_tasks) {
  std::size_t at_server = 0;
  router routes;
  routes.websocket("/many", [&](websocket socket) -> task<> {
    while (auto got = co_await socket.receive()) {
      const std::string_view data = got->data;
      EXPECT_EQ(data.find_first_not_of(data.empty() ? ' ' : data[0]), std::string_view::npos);
      ++at_server;
      if (!co_await socket.send(got->kind, data.substr(0, 10))) break;
    }
  });
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto connected = co_await websocket::connect(url_of(port, "/many"));
    EXPECT_TRUE(connected);
    if (!connected) co_return;
    websocket socket = std::move(*connected);
    auto send = [&](char letter, std::size_t size) -> task<> {
      const std::string message(size, letter);
      for (int i = 0; i < 10; ++i) {
        const auto sent = co_await socket.send_binary(message);
        EXPECT_TRUE(sent);
        co_await tare::yield();
      }
    };
    auto receive = [&]() -> task<> {
      for (int i = 0; i < 40; ++i) {
        const auto got = co_await socket.receive();
        EXPECT_TRUE(got);
      }
    };
    co_await tare::when_all(send('a', 900'000), send('b', 10), send('c', 20'000), send('d', 0), receive());
    EXPECT_EQ(at_server, 40U);
    const auto closed = co_await socket.close_and_wait();
    EXPECT_TRUE(closed);
  });
}

TEST_P(websocket_connect, leaves_with_a_close_frame) {
  std::vector<unsigned> codes;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    const auto got = co_await socket.receive();
    EXPECT_EQ(got.error(), errc::closed_by_peer);
    codes.push_back(socket.peer_code());
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    for (int i = 0; i < 3; ++i) {
      auto socket = co_await websocket::connect(url_of(port, "/"));
      EXPECT_TRUE(socket);
      while (serving.lasting_connections() != 1) co_await tare::sleep_for(1ms);
      socket = std::unexpected(std::make_error_code(std::errc::timed_out));
      while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
    }
    EXPECT_THAT(codes, testing::ElementsAre(1001U, 1001U, 1001U));
  });
}

// A client may republish: each of its frames has a mask of its own.
TEST_P(websocket_connect, can_subscribe_to_a_topic) {
  std::vector<std::string> got;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    while (got.size() < 3) {
      const auto message = co_await socket.receive();
      EXPECT_TRUE(message);
      if (!message) co_return;
      got.emplace_back(message->data);
    }
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    tare::http::topic news;
    auto connected = co_await websocket::connect(url_of(port, "/"));
    EXPECT_TRUE(connected);
    if (!connected) co_return;
    const tare::http::subscription feed(news, *connected);
    for (const char* text : {"one", "two", "three"}) EXPECT_TRUE(news.publish(text));
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
    EXPECT_THAT(got, testing::ElementsAre("one", "two", "three"));
  });
}

/// Each way to use a client's socket that is destroyed too early.
enum class early_end : std::uint8_t { subscribed, receiving, sending };

task<> destroy_too_early(std::uint16_t port, early_end how) {
  tare::http::topic news;
  std::optional<tare::http::subscription> feed;
  auto connected = co_await websocket::connect(url_of(port));
  const std::string large(20'000'000, 'x');
  auto use = [&]() -> task<> {
    if (how == early_end::receiving) (void)co_await connected->receive();
    if (how == early_end::sending) (void)co_await connected->send_text(large);
  };
  auto destroy = [&]() -> task<> {
    co_await tare::sleep_for(20ms);
    const websocket ended = std::move(*connected);
  };
  if (how == early_end::subscribed) feed.emplace(news, *connected);
  co_await tare::when_all(use(), destroy());
}

TEST_P(websocket_connect, must_outlive_what_uses_it) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // Reads nothing, so that a large message takes long to send.
  router routes;
  routes.websocket("/echo", [](websocket /*socket*/) -> task<> { co_await tare::sleep_for(1h); });
  for (const early_end how : {early_end::subscribed, early_end::receiving, early_end::sending}) {
    const auto run_it = [&] {
      with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) { return destroy_too_early(port, how); });
    };
    EXPECT_DEATH(run_it(), "websocket was destroyed before a subscription of it, or while a task receives or sends");
  }
}

}  // namespace

TARE_ON_ALL_REACTORS(websocket_connect);
