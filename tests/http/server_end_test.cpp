#include "http/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::http::server_options;
using tare::test::echo;
using tare::test::raw_client;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class http_server_end : public tare::test::http_test {};

TEST_P(http_server_end, ends_those_who_are_too_slow) {
  const server_options hurried{.head_timeout = 200ms, .body_timeout = 200ms, .idle_timeout = 200ms};
  with_server(echo, hurried, [](server& serving, std::uint16_t port) -> task<> {
    auto silent = co_await raw_client::connect(port);
    auto slow_head = co_await raw_client::connect(port);
    auto slow_body = co_await raw_client::connect(port);
    auto idle = co_await raw_client::connect(port);
    co_await slow_head.send("GET / HT");
    co_await slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    EXPECT_EQ((co_await idle.ask(get)).status, 200U);
    EXPECT_EQ(co_await silent.read_all(), "");
    EXPECT_THAT(co_await slow_head.read_all(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
    EXPECT_THAT(co_await slow_body.read_all(), StartsWith("HTTP/1.1 408 Request Timeout\r\n"));
    EXPECT_EQ(co_await idle.read_all(), "");
    while (serving.connections() != 0) co_await tare::sleep_for(5ms);
  });
}

TEST_P(http_server_end, a_head_that_trickles_in_is_ended_all_the_same) {
  with_server(echo, {.head_timeout = 200ms}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    bool ended = false;
    auto trickle = [&]() -> task<> {
      co_await client.send("GET / HTTP/1.1\r\nX: ");
      for (int i = 0; i < 500 && !ended; ++i) {
        if (!co_await client.stream().write(std::as_bytes(std::span("a", 1)))) break;
        co_await tare::sleep_for(20ms);
      }
    };
    auto listen = [&]() -> task<> {
      EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 408 "));
      ended = true;
    };
    co_await tare::when_all(trickle(), listen());
  });
}

TEST_P(http_server_end, limits_the_time_of_a_request) {
  bool cleaned_up = false;
  auto endless = [&](request& request, response& response) -> task<> {
    if (request.path() == "/begun") (void)co_await response.write("half");
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      cleaned_up = true;
      throw;
    }
  };
  with_server(endless, {.request_timeout = 150ms}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(get);
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_TRUE(cleaned_up);
    auto begun = co_await raw_client::connect(port);
    co_await begun.send("GET /begun HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(co_await begun.read_all(), EndsWith("4\r\nhalf\r\n"));
  });
}

TEST_P(http_server_end, cancels_the_handler_of_a_client_that_leaves) {
  bool cancelled = false;
  auto endless = [&](request& /*request*/, response& /*response*/) -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      cancelled = true;
      throw;
    }
  };
  with_server(endless, {}, [&](server& serving, std::uint16_t port) -> task<> {
    {
      auto client = co_await raw_client::connect(port);
      co_await client.send(get);
      while (serving.active_requests() == 0) co_await tare::sleep_for(5ms);
    }
    while (serving.connections() != 0) co_await tare::sleep_for(5ms);
    EXPECT_TRUE(cancelled);
  });
}

TEST_P(http_server_end, a_watched_request_is_answered_and_the_connection_kept) {
  auto slow = [](request& /*request*/, response& response) -> task<> {
    co_await tare::sleep_for(500ms);  // long enough for a watcher to start
    (void)co_await response.send("text/plain", "late");
  };
  with_server(slow, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get)).body, "late");
    // What the client sends in the meantime ends the watcher, and is not lost.
    co_await client.send(get);
    co_await tare::sleep_for(300ms);
    co_await client.send(get);
    EXPECT_EQ((co_await client.read_response()).body, "late");
    EXPECT_EQ((co_await client.read_response()).body, "late");
  });
}

// Draining.

TEST_P(http_server_end, drains) {
  tare::event go_on;
  auto wait = [&](request& /*request*/, response& response) -> task<> {
    co_await go_on.wait();
    (void)co_await response.send("text/plain", "done");
  };
  with_server(wait, {}, [&](server& serving, std::uint16_t port) -> task<> {
    auto idle = co_await raw_client::connect(port);
    auto busy = co_await raw_client::connect(port);
    co_await busy.send(get);
    while (serving.active_requests() == 0) co_await tare::sleep_for(1ms);
    serving.stop();
    EXPECT_EQ(co_await idle.read_all(), "");
    const auto refused = co_await tare::net::connect(tare::net::endpoint::loopback(port));
    EXPECT_FALSE(refused);
    go_on.set();
    const std::string got = co_await busy.read_all();
    EXPECT_THAT(got, HasSubstr("connection: close\r\n"));
    EXPECT_THAT(got, EndsWith("done"));
  });
}

TEST_P(http_server_end, does_not_wait_for_ever_when_it_drains) {
  auto endless = [](request& /*request*/, response& /*response*/) -> task<> { co_await tare::sleep_for(1h); };
  with_server(endless, {.drain_timeout = 100ms}, [&](server& serving, std::uint16_t port) -> task<> {
    auto busy = co_await raw_client::connect(port);
    auto half = co_await raw_client::connect(port);
    co_await busy.send(get);
    co_await half.send("GET / HTTP");
    while (serving.active_requests() == 0) co_await tare::sleep_for(1ms);
    serving.stop();
    EXPECT_THAT(co_await busy.read_all(), StartsWith("HTTP/1.1 503 "));
    co_await half.read_all();
  });
}

TEST_P(http_server_end, ends_when_its_task_is_cancelled) {
  auto body = []() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    const std::uint16_t port = listening->local()->port();
    server serving(echo);
    auto use = [&]() -> task<> {
      auto client = co_await raw_client::connect(port);
      EXPECT_EQ((co_await client.ask(get)).status, 200U);
    };
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(serving.serve(std::move(*listening)));
      co_await use();
      s.cancel();
    });
    EXPECT_EQ(serving.connections(), 0U);
  };
  run(body());
}

TARE_ON_ALL_REACTORS(http_server_end);

TEST(http_server_end_death, of_its_object_while_it_serves) {
  auto body = []() -> task<> {
    auto reply = [](request& /*request*/, response& to) -> task<> { (void)co_await to.send(""); };
    std::optional<server> short_lived(std::in_place, reply);
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    auto serve = [&](tare::scope& in) -> task<> {
      in.spawn([&]() -> task<> { (void)co_await short_lived->serve(std::move(listening)); });
      co_await tare::sleep_for(1ms);
      short_lived.reset();
    };
    co_await tare::with_scope(serve);
  };
  EXPECT_DEATH(tare::run(body()), "an http::server was destroyed while it serves: keep it until `serve` has returned");
}

}  // namespace
