// What the server does when the memory budget has no room.

#include "http/loopback.hpp"

#include <tare/http/admission.hpp>
#include <tare/net/idle.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::test::raw_client;

namespace http = tare::http;

constexpr const char* get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
// More and less than any machine has: what decides is the arithmetic, not what the test happens to take.
constexpr std::size_t limit = std::size_t{64} << 30U;
constexpr std::size_t too_much = limit * 2;

task<> hello(http::request& /*asked*/, http::response& answer) { (void)co_await answer.send("text/plain", "hello"); }

/// As with_server, in a runtime with a limit.
void serve(http::handler answer, http::server_options options, std::function<task<>(std::uint16_t)> use) {
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    if (!listening) throw std::runtime_error("bind: " + listening.error().message());
    const std::uint16_t port = listening->local()->port();
    http::server server(std::move(answer), std::move(options));
    auto run = [&]() -> task<> { EXPECT_TRUE(co_await server.serve(std::move(*listening))); };
    auto ask = [&]() -> task<> {
      co_await use(port);
      server.stop();
    };
    co_await tare::when_all(run(), ask());
  };
  tare::runtime rt({.memory_limit = limit});
  rt.run(all());
}

TEST(http_admission, a_request_for_which_there_is_no_room_gets_a_503_and_keeps_its_connection) {
  serve(http::admitted(hello, too_much, 7s), {}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    for (int i = 0; i < 3; ++i) {
      const auto refused = co_await client.ask(get);
      EXPECT_EQ(refused.status, 503U);
      EXPECT_NE(refused.head.find("retry-after: 7\r\n"), std::string::npos) << refused.head;
    }
    EXPECT_EQ(tare::memory().refusals(), 3U);
    EXPECT_LT(tare::memory().promised(), 4000U) << "what the last one held";
  });
}

TEST(http_admission, a_request_for_which_there_is_room_is_counted_while_it_lasts) {
  std::size_t meanwhile = 0;
  auto look = [&](http::request& /*asked*/, http::response& answer) -> task<> {
    meanwhile = tare::memory().promised();
    (void)co_await answer.send("text/plain", "hello");
  };
  serve(http::admitted(look, 100'000), {}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get)).body, "hello");
    EXPECT_EQ((co_await client.ask(get)).body, "hello");
  });
  EXPECT_GE(meanwhile, 100'000U);
  EXPECT_LT(meanwhile, 104'000U);
}

TEST(http_admission, connections_wait_in_the_backlog_and_stopping_works_all_the_same) {
  serve(hello, {.connection_bytes = too_much, .shed_idle = true}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    auto answered = co_await tare::timeout(100ms, client.ask(get));
    EXPECT_FALSE(answered);
  });
}

TEST(http_admission, with_room_connections_are_accepted) {
  serve(hello, {.connection_bytes = 1000}, [](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get)).status, 200U);
  });
}

TEST(http_admission, connections_that_have_been_idle_longest_are_shed_first) {
  serve(hello, {}, [](std::uint16_t port) -> task<> {
    std::vector<raw_client> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(co_await raw_client::connect(port));
      EXPECT_EQ((co_await clients.back().ask(get)).status, 200U);
      co_await tare::sleep_for(300ms);  // deadlines are told apart by an eighth of a second
    }
    // The first one is used again.
    EXPECT_EQ((co_await clients[0].ask(get)).status, 200U);
    co_await tare::sleep_for(300ms);
    EXPECT_EQ(tare::net::expire_idle(1), 1U);
    EXPECT_EQ((co_await clients[1].read_all()), "");
    EXPECT_EQ((co_await clients[0].ask(get)).status, 200U);
    EXPECT_EQ((co_await clients[2].ask(get)).status, 200U);
    EXPECT_EQ(tare::net::expire_idle(100), 2U);
  });
}

}  // namespace
