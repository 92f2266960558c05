// What clients make WebSockets hold stays within the memory budget. It is what this process holds plus a few MiB.

#include "frame/heap.hpp"
#include "frame/resident_memory.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket_client.hpp"
#include "support/sanitizers.hpp"

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
using tare::http::detail::message_codec;
using tare::test::masked_frame;
using tare::test::open_websocket;
using tare::test::open_websocket_when_there_is_room;
using tare::test::raw_client;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::try_open_websocket;

class websocket_budget : public tare::test::http_test {};

// Clients send parts of messages, more than the budget has room for; then the rest.
TEST_P(websocket_budget, parts_of_messages_stay_within_the_budget) {
  if (support::is_sanitized) GTEST_SKIP() << "the sanitizer's memory counts toward the budget";
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
        auto client = co_await open_websocket_when_there_is_room(port);
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

// Each message needs a decompressor of its own until it ends, and there is no room for all of them at the same time.
TEST_P(websocket_budget, decompressors_of_messages_in_pieces_stay_within_the_budget) {
  if (support::is_sanitized) GTEST_SKIP() << "the sanitizer's memory counts toward the budget";
  const std::size_t limit = tare::detail::resident_bytes() + (12U << 20U);
  constexpr std::size_t message_bytes = 1'000'000;
  constexpr int clients = 250;
  int received = 0;
  int refused = 0;
  std::size_t most = 0;
  router routes;
  auto receive = [&](websocket socket) -> task<> {
    std::size_t bytes = 0;
    for (;;) {
      auto got = co_await socket.receive_piece();
      if (!got && got.error() == std::errc::not_enough_memory) ++refused;
      if (!got) co_return;
      most = std::max(most, tare::memory().promised());
      bytes += got->data.size();
      if (!got->is_last) continue;
      EXPECT_EQ(bytes, message_bytes);
      ++received;
    }
  };
  routes.websocket("/", receive, {.compress = true});
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    tare::http::server_options with;
    with.room_timeout = 500ms;
    server serving(routes, with);
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      const std::size_t before = tare::memory().promised();
      message_codec codec;
      const std::string packed(codec.compress(std::string(message_bytes, 'a')));
      const std::string begin = masked_frame(0x42, packed.substr(0, packed.size() / 2));
      const std::string end = masked_frame(0x80, packed.substr(packed.size() / 2)) + masked_frame(0x88, "");
      std::vector<raw_client> held;
      for (int i = 0; i < clients; ++i) {
        auto client = co_await try_open_websocket(port, "/", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
        if (!client) continue;
        (void)co_await client->stream().write(std::as_bytes(std::span(begin)));
        held.push_back(std::move(*client));
      }
      EXPECT_GT(held.size(), 150U);
      for (raw_client& each : held) (void)co_await each.stream().write(std::as_bytes(std::span(end)));
      for (int i = 0; i < 10'000 && serving.lasting_connections() != 0; ++i) co_await tare::sleep_for(1ms);
      EXPECT_EQ(received + refused, static_cast<int>(held.size()));
      EXPECT_GT(received, 50);
      EXPECT_LT(received, clients) << "the budget was not reached";
      EXPECT_LE(most, limit);
      held.clear();
      serving.stop();
      co_await tare::sleep_for(20ms);
      EXPECT_LE(tare::memory().promised(), before + (1U << 20U));  // with the server's own compressor
    };
    co_await tare::when_all(serve(), use());
  };
  auto chosen = options();
  chosen.memory_limit = limit;
  run(all(), chosen);
}

// Each client sends a part of a message and nothing more; they make room for another, which is served.
TEST_P(websocket_budget, who_sends_only_a_part_makes_room_for_others) {
  if (support::is_sanitized) GTEST_SKIP() << "the sanitizer's memory counts toward the budget";
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
        auto client = co_await open_websocket_when_there_is_room(port);
        client.stream().expires_after(300ms);
        const std::string_view part = std::string_view(whole).substr(0, 2'000'000);
        (void)co_await client.stream().write(std::as_bytes(std::span(part)));
        held.push_back(std::move(client));
      }
      co_await tare::sleep_for(300ms);
      auto late = co_await open_websocket_when_there_is_room(port);
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

// All wait for room since the same time, and none comes. They are refused in groups, because what one group has held
// may be enough for the rest: either that is so, or all of them are refused, one group after the other.
TEST_P(websocket_budget, who_waits_for_room_in_vain_is_not_refused_together_with_all_others) {
  if (support::is_sanitized) GTEST_SKIP() << "the sanitizer's memory counts toward the budget";
  constexpr std::size_t clients = 40;
  std::vector<std::chrono::steady_clock::time_point> refused;
  std::size_t received = 0;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    const auto got = co_await socket.receive();
    if (got) {
      ++received;
    } else {
      EXPECT_EQ(got.error(), std::errc::not_enough_memory);
      refused.push_back(std::chrono::steady_clock::now());
    }
  });
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    tare::http::server_options with;
    with.room_timeout = 300ms;
    server serving(routes, with);
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      std::vector<raw_client> held;
      for (std::size_t i = 0; i < clients; ++i) {
        auto client = co_await open_websocket_when_there_is_room(port);
        held.push_back(std::move(client));
      }
      std::vector<tare::memory_share> taken;
      for (std::size_t bytes = std::size_t{64} << 30U; bytes >= 64; bytes /= 2) {
        while (auto share = tare::memory().try_admit(bytes)) taken.push_back(std::move(share));
      }
      const std::string whole = masked_frame(0x82, std::string(100'000, 'a'));
      for (raw_client& each : held) (void)co_await each.stream().write(std::as_bytes(std::span(whole)));
      for (int i = 0; i < 10'000 && received + refused.size() != clients; ++i) co_await tare::sleep_for(1ms);
      serving.stop();
    };
    co_await tare::when_all(serve(), use());
    EXPECT_EQ(received + refused.size(), clients);
    EXPECT_FALSE(refused.empty());
    if (received == 0 && !refused.empty()) {
      EXPECT_GE(refused.back() - refused.front(), 200ms) << "all of them were refused in one or two sweeps";
    }
  };
  auto chosen = options();
  chosen.memory_limit = std::size_t{64} << 30U;
  run(all(), chosen);
}

/// While it exists, the shards that are made ask it before each allocation, and put no frame on a shelf.
class refused_allocation {
 public:
  refused_allocation() noexcept {
    tare::detail::heap::gate = [] noexcept {
      if (next_ == 0) return true;
      --next_;
      return next_ != 0;
    };
  }
  refused_allocation(const refused_allocation&) = delete;
  refused_allocation& operator=(const refused_allocation&) = delete;
  ~refused_allocation() {
    tare::detail::heap::gate = nullptr;
    (void)allow_all();
  }
  /// Only the nth from now on is refused.
  static void refuse(std::uint64_t nth) noexcept {
    is_asked_ = true;
    next_ = nth;
  }
  /// Returns whether it has refused one.
  static bool allow_all() noexcept { return std::exchange(is_asked_, false) && std::exchange(next_, 0) == 0; }
  [[nodiscard]] static bool is_asked() noexcept { return is_asked_; }

 private:
  static inline bool is_asked_ = false;
  static inline std::uint64_t next_ = 0;  ///< 0: none
};

/// A handler returns, and the nth allocation after that is refused. False if there are fewer.
task<bool> end_without_memory(std::uint16_t port, std::uint64_t nth) {
  auto ending = co_await open_websocket(port, "/last");
  const std::string asks = masked_frame(0x81, "end");
  co_await ending.send(asks);
  // Sleeping allocates nothing.
  for (int i = 0; i < 5000 && !refused_allocation::is_asked(); ++i) co_await tare::sleep_for(1ms);
  co_await tare::sleep_for(20ms);
  const bool refused = refused_allocation::allow_all();
  const std::string received = co_await ending.read_all();
  // Its end is the first that needs memory; without it the connection is cut off, but not without a word.
  const unsigned expected = refused && nth == 1 ? 1001 : 1000;
  EXPECT_EQ(received, server_close(expected)) << "allocation " << nth;
  co_return refused;
}

TEST_P(websocket_budget, without_memory_for_its_end_it_ends_alone) {
  const refused_allocation memory;
  std::uint64_t nth = 1;
  router routes;
  routes.websocket("/", [](websocket socket) -> task<> {
    while (auto got = co_await socket.receive()) {
      if (!co_await socket.send(got->kind, got->data)) break;
    }
  });
  routes.websocket("/last", [&](websocket socket) -> task<> {
    (void)co_await socket.receive();
    refused_allocation::refuse(nth);
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    auto other = co_await open_websocket(port);
    const std::string frame = masked_frame(0x81, "still here");
    for (bool refused = true; refused && nth < 20; ++nth) {
      refused = co_await end_without_memory(port, nth);
      for (int i = 0; i < 1000 && serving.lasting_connections() != 1; ++i) co_await tare::sleep_for(1ms);
      EXPECT_EQ(serving.lasting_connections(), 1U);
      co_await other.send(frame);
      EXPECT_EQ(co_await other.read_bytes(12), server_frame(0x81, "still here"));
    }
    EXPECT_GT(nth, 2U) << "nothing was refused";
    EXPECT_LT(nth, 20U);
  });
}

TARE_ON_ALL_REACTORS(websocket_budget);

}  // namespace
