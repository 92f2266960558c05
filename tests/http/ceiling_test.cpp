// What the server does when it is out of memory for frames: whichever allocation fails, it keeps running and serves
// again.

#include "frame/heap.hpp"
#include "http/loopback.hpp"
#include "http/system_client.hpp"

#include <tare/detail/frame_memory.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::test::system_client;

namespace http = tare::http;

constexpr const char* get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

task<> hello(http::request& /*request*/, http::response& response) {
  (void)co_await response.send("text/plain", "hello");
}

class http_ceiling : public tare::testing::on_reactors {};

/// `use` gets the port; the server must end without an error.
void serve(tare::runtime& rt, http::server_options options, std::function<task<>(std::uint16_t)> use) {
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    if (!listening) throw std::runtime_error("bind: " + listening.error().message());
    const std::uint16_t port = listening->local()->port();
    http::server server(hello, std::move(options));
    auto run = [&]() -> task<> {
      const auto ended = co_await server.serve(std::move(*listening));
      EXPECT_TRUE(ended) << ended.error().message();
    };
    auto ask = [&]() -> task<> {
      co_await use(port);
      server.stop();
    };
    co_await tare::when_all(run(), ask());
  };
  rt.run(all());
}

task<> hold_a_frame() {
  std::array<char, 500> held{};
  co_await tare::sleep_for(1h);
  asm volatile("" : : "r"(held.data()) : "memory");
}

/// Takes all remaining memory for frames.
void hold_all_frames(tare::scope& in) {
  try {
    for (;;) in.spawn(hold_a_frame());
  } catch (const std::bad_alloc&) {
    return;
  }
}

task<> hold_all_frames_for(std::chrono::milliseconds time) {
  auto body = [time](tare::scope& s) -> task<> {
    hold_all_frames(s);
    co_await tare::sleep_for(time);
    s.cancel();
  };
  co_await tare::with_scope(body);
}

TEST_P(http_ceiling, connections_that_find_no_frame_do_not_end_the_server) {
  constexpr int many = 1500;  // more than the existing blocks of slots have room for
  tare::runtime rt({.io = GetParam(), .frame_limit = std::size_t{2} << 20U});
  serve(rt, {}, [](std::uint16_t port) -> task<> {
    std::vector<system_client> clients;
    for (int i = 0; i < 500; ++i) clients.emplace_back(port);
    while (!co_await clients.back().answers(get)) co_await tare::sleep_for(1ms);
    tare::scope holding;
    hold_all_frames(holding);
    for (int i = 0; i < many; ++i) {
      clients.emplace_back(port);
      if (i % 50 == 49) co_await tare::sleep_for(2ms);
    }
    co_await tare::sleep_for(50ms);
    holding.cancel();
    co_await holding.join();
    clients.clear();
    bool served = false;
    for (int i = 0; i < 200 && !served; ++i) {
      system_client again(port);
      served = co_await again.answers(get);
    }
    EXPECT_TRUE(served);
  });
}

TEST_P(http_ceiling, a_server_that_stops_while_no_frame_is_left_waits_for_its_connections) {
  tare::runtime rt({.io = GetParam(), .frame_limit = std::size_t{2} << 20U});
  std::vector<system_client> clients;
  serve(rt, {}, [&](std::uint16_t port) -> task<> {
    for (int i = 0; i < 200; ++i) clients.emplace_back(port);
    while (!co_await clients.back().answers(get)) co_await tare::sleep_for(1ms);
    tare::spawn(hold_all_frames_for(100ms));
    co_await tare::sleep_for(20ms);
  });
  for (system_client& each : clients) EXPECT_TRUE(each.has_ended());
}

/// The parser and the head of a request are allocated while it arrives: whichever of them is refused, nothing is left
/// behind, and the client gets a response or sees the end of the connection.
TEST_P(http_ceiling, each_allocation_of_a_request_in_pieces_may_fail) {
  constexpr const char* head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n";
  constexpr const char* rest = "\r\nabc";
  constexpr const char* end = "defGET / HTTP/1.1\r\nHost: h\r\n\r\n";
  tare::runtime rt({.io = GetParam(), .memory_limit = std::size_t{1} << 40U});
  serve(rt, {}, [&rt](std::uint16_t port) -> task<> {
    auto& frames = *tare::detail::current_heap;
    int failed = 0;
    for (std::uint64_t nth = 1; nth <= 40; ++nth) {
      auto* const shelves = std::exchange(tare::detail::current_shelves, nullptr);
      frames.trim();
      frames.fail_at(nth);
      {
        system_client client(port);
        for (const char* piece : {head, rest, end}) {
          client.send(piece);
          for (int i = 0; i < 5; ++i) co_await tare::sleep_for(1ms);
        }
        frames.fail_at(0);
        for (int i = 0; i < 10; ++i) co_await tare::sleep_for(1ms);
        failed += client.has_ended() ? 1 : 0;
      }
      tare::detail::current_shelves = shelves;
      system_client after(port);
      const bool served = co_await after.answers(get);
      EXPECT_TRUE(served) << "after allocation " << nth;
      EXPECT_EQ(rt.memory().promised(), 0U) << "after allocation " << nth;
    }
    EXPECT_GE(failed, 2);
    EXPECT_LT(failed, 40) << "40 are not all";
  });
}

TEST_P(http_ceiling, each_allocation_in_turn_may_fail) {
  for (const bool shed : {false, true}) {
    tare::runtime rt({.io = GetParam()});
    serve(rt, {.shed_idle = shed}, [](std::uint16_t port) -> task<> {
      auto& frames = *tare::detail::current_heap;
      for (std::uint64_t nth = 1; nth <= 40; ++nth) {
        // This task allocates no frames itself, so only those of the server are counted.
        auto* const shelves = std::exchange(tare::detail::current_shelves, nullptr);
        frames.trim();
        frames.fail_at(nth);
        {
          std::array<system_client, 3> clients{system_client(port), system_client(port), system_client(port)};
          for (system_client& each : clients) each.send(get);
          for (int i = 0; i < 20; ++i) co_await tare::sleep_for(1ms);
        }
        frames.fail_at(0);
        tare::detail::current_shelves = shelves;
        system_client after(port);
        const bool served = co_await after.answers(get);
        EXPECT_TRUE(served) << "after allocation " << nth;
      }
    });
  }
}

TARE_ON_ALL_REACTORS(http_ceiling);

}  // namespace
