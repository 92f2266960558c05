// What clients make WebSockets hold stays within the memory budget. It is what this process holds plus a few MiB.

#include "frame/heap.hpp"
#include "frame/resident_memory.hpp"
#include "http/loopback.hpp"
#include "http/websocket_frames.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::router;
using tare::http::server;
using tare::http::websocket;
using tare::http::websocket_options;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::raw_client;
using tare::test::server_close;
using tare::test::server_frame;

task<raw_client> open(std::uint16_t port) {
  auto client = co_await raw_client::connect(port);
  const std::string asks = handshake_for("/");
  co_await client.send(asks);
  (void)co_await client.read_through("\r\n\r\n");
  co_return client;
}

class websocket_budget : public tare::test::http_test {};

// Clients send parts of messages, more than the budget has room for; then the rest.
TEST_P(websocket_budget, parts_of_messages_stay_within_the_budget) {
  const std::size_t limit = tare::detail::resident_bytes() + (12U << 20U);
  constexpr std::size_t message_bytes = 400'000;
  constexpr int clients = 60;
  int received = 0;
  int refused = 0;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    auto got = co_await socket.receive();
    if (got) {
      EXPECT_EQ(got->data.size(), message_bytes);
      ++received;
    } else if (got.error() == std::errc::not_enough_memory) {
      ++refused;
    }
  });
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    tare::http::server_options with;
    with.room_timeout = 500ms;
    server serving(routes, with);
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      const std::size_t before = tare::memory().promised();
      std::size_t most = 0;
      const std::string whole = masked_frame(0x82, std::string(message_bytes, 'a'));
      std::vector<raw_client> held;
      for (int i = 0; i < clients; ++i) {
        auto client = co_await open(port);
        held.push_back(std::move(client));
      }
      auto send = [&](raw_client& by, std::string_view what) -> task<> {
        (void)co_await by.stream().write(std::as_bytes(std::span(what)));
      };
      auto watch = [&]() -> task<> {
        for (;;) {
          most = std::max(most, tare::memory().promised());
          co_await tare::sleep_for(1ms);
        }
      };
      auto send_all = [&]() -> task<> {
        co_await tare::with_scope([&](tare::scope& s) -> task<> {
          for (raw_client& each : held) s.spawn(send(each, whole));
          co_return;
        });
        while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
      };
      co_await tare::when_any(send_all(), watch());
      EXPECT_LE(most, limit);
      EXPECT_EQ(received + refused, clients);
      EXPECT_GT(received, 0);
      held.clear();
      serving.stop();
      co_await tare::sleep_for(20ms);
      EXPECT_LE(tare::memory().promised(), before);
    };
    co_await tare::when_all(serve(), use());
  };
  auto chosen = options();
  chosen.memory_limit = limit;
  run(all(), chosen);
}

// Each client sends a part of a message and nothing more; they make room for another, which is served.
TEST_P(websocket_budget, who_sends_only_a_part_makes_room_for_others) {
  int received = 0;
  int refused = 0;
  router routes;
  websocket_options options_of_route;
  options_of_route.max_message_bytes = 8U << 20U;
  routes.websocket(
      "/",
      [&](websocket socket) -> task<> {
        auto got = co_await socket.receive();
        if (got) ++received;
        if (!got && got.error() == std::errc::not_enough_memory) ++refused;
      },
      options_of_route);
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    server serving(routes);
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      const std::string whole = masked_frame(0x82, std::string(3'000'000, 'a'));
      std::vector<raw_client> held;
      for (int i = 0; i < 8; ++i) {
        auto client = co_await open(port);
        client.stream().expires_after(300ms);
        const std::string_view part = std::string_view(whole).substr(0, 2'000'000);
        (void)co_await client.stream().write(std::as_bytes(std::span(part)));
        held.push_back(std::move(client));
      }
      co_await tare::sleep_for(300ms);
      auto late = co_await open(port);
      const std::string small = masked_frame(0x82, std::string(500'000, 'b'));
      (void)co_await late.stream().write(std::as_bytes(std::span(small)));
      for (int i = 0; i < 5000 && received == 0; ++i) co_await tare::sleep_for(1ms);
      EXPECT_EQ(received, 1);
      EXPECT_GT(refused, 0);
      held.clear();
      serving.stop();
    };
    co_await tare::when_all(serve(), use());
  };
  auto chosen = options();
  // What the clients hold is in the same process: 4 MiB.
  chosen.memory_limit = tare::detail::resident_bytes() + (16U << 20U);
  run(all(), chosen);
}

TEST_P(websocket_budget, without_memory_for_its_end_it_ends_alone) {
  router routes;
  routes.websocket("/", [](websocket socket) -> task<> {
    while (auto got = co_await socket.receive()) {
      if (!co_await socket.send(got->kind, got->data)) break;
    }
  });
  routes.websocket("/last", [](websocket) -> task<> {
    tare::detail::current_heap->fail_at(1);
    co_return;
  });
  with_server(routes, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto other = co_await open(port);
    auto ending = co_await raw_client::connect(port);
    const std::string asks = handshake_for("/last");
    co_await ending.send(asks);
    (void)co_await ending.read_through("\r\n\r\n");
    EXPECT_EQ(co_await ending.read_all(), server_close(1001));
    tare::detail::current_heap->fail_at(0);
    const std::string frame = masked_frame(0x81, "still here");
    co_await other.send(frame);
    EXPECT_EQ(co_await other.read_bytes(12), server_frame(0x81, "still here"));
    EXPECT_EQ(serving.lasting_connections(), 1U);
  });
}

TARE_ON_ALL_REACTORS(websocket_budget);

}  // namespace
