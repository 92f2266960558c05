// What a server still does for its connections when a part of it stops: one listener of several, one stream, or the
// whole before it serves again.

#include "http/loopback.hpp"
#include "http/memory_stream.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::test::memory_stream;
using tare::test::raw_client;
using tare::test::wire;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class http_drain : public tare::test::http_test {
 protected:
  static tare::net::listener bind() { return tare::net::listener::bind(tare::net::endpoint::loopback(0)).value(); }
  static task<> serve(server& serving, tare::net::listener listener) {
    auto ended = co_await serving.serve(std::move(listener));
    EXPECT_TRUE(ended) << ended.error().message();
  }
};

/// Slow enough to be seen by the sweep that ends requests.
task<> answer_slowly(request& /*request*/, response& response) {
  co_await tare::sleep_for(300ms);
  (void)co_await response.send("text/plain", "late");
}

task<> expect_service(std::uint16_t port) {
  auto client = co_await raw_client::connect(port);
  for (int i = 0; i < 2; ++i) {
    const auto got = co_await client.ask(get);
    EXPECT_EQ(got.status, 200U);
    EXPECT_EQ(got.body, "late");
    EXPECT_THAT(got.head, Not(HasSubstr("connection: close")));
  }
}

TEST_P(http_drain, a_cancelled_listener_leaves_those_of_another) {
  run([&]() -> task<> {
    server serving(answer_slowly, {.drain_timeout = 100ms});
    auto first = bind();
    auto second = bind();
    const std::uint16_t first_port = first.local()->port();
    const std::uint16_t port = second.local()->port();
    auto body = [&](tare::scope& s) -> task<> {
      s.spawn(serve(serving, std::move(second)));
      auto cancelled = co_await tare::timeout(50ms, serve(serving, std::move(first)));
      EXPECT_FALSE(cancelled);
      auto refused = co_await tare::net::connect(tare::net::endpoint::loopback(first_port));
      EXPECT_FALSE(refused);
      co_await tare::sleep_for(200ms);
      co_await expect_service(port);
      serving.stop();
    };
    co_await tare::with_scope(body);
  }());
}

TEST_P(http_drain, can_be_shortened_before_and_while_it_lasts) {
  for (const bool at_once : {false, true}) {
    run([&]() -> task<> {
      auto never = [](request& /*request*/, response& /*response*/) -> task<> { co_await tare::sleep_for(1h); };
      server serving(never, {.drain_timeout = 1h});
      auto listener = bind();
      const std::uint16_t port = listener.local()->port();
      auto body = [&](tare::scope& in) -> task<> {
        in.spawn(serve(serving, std::move(listener)));
        auto client = co_await raw_client::connect(port);
        co_await client.send(get);
        while (serving.active_requests() == 0) co_await tare::sleep_for(1ms);
        if (at_once) {
          serving.stop(0ns);
        } else {
          serving.stop();
          co_await tare::sleep_for(300ms);
          EXPECT_EQ(serving.active_requests(), 1U);
          serving.stop(0ns);
        }
        const std::string got = co_await client.read_all();
        EXPECT_THAT(got, StartsWith("HTTP/1.1 503 "));
      };
      co_await tare::with_scope(body);
    }());
  }
}

TEST_P(http_drain, a_server_that_was_stopped_serves_again) {
  run([&]() -> task<> {
    server serving(answer_slowly, {.drain_timeout = 100ms});
    for (int i = 0; i < 2; ++i) {
      auto listener = bind();
      const std::uint16_t port = listener.local()->port();
      auto use = [&]() -> task<> {
        co_await expect_service(port);
        serving.stop();
      };
      co_await tare::when_all(serve(serving, std::move(listener)), use());
    }
  }());
}

TARE_ON_ALL_REACTORS(http_drain);

/// How a stream ended that was cancelled one second after its first bytes had arrived.
struct ending {
  std::chrono::nanoseconds lasted{};
  std::string sent;
};

/// Beside it, the same server serves another request to its end. The client accepts `room` bytes.
ending cancel_stream(std::string_view input, tare::http::handler handle, std::size_t room = wire::unlimited) {
  ending seen;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    server serving(
        std::move(handle),
        {.head_timeout = 1h, .body_timeout = 1h, .body_min_rate = 0, .write_timeout = 1h, .drain_timeout = 10s});
    wire client;
    client.input = input;
    client.room = room;
    wire other;
    other.input = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    other.input_ends = true;
    auto serve_other = [&]() -> task<> {
      co_await serving.serve_stream(memory_stream(other));
      EXPECT_THAT(other.output, StartsWith("HTTP/1.1 200 OK"));
    };
    auto serve_and_cancel = [&]() -> task<> {
      const auto begun = tare::now();
      (void)co_await tare::timeout(1s, serving.serve_stream(memory_stream(client)));
      seen = {.lasted = tare::now() - begun, .sent = client.output};
      EXPECT_TRUE(client.closed);
    };
    co_await tare::when_all(serve_other(), serve_and_cancel());
    EXPECT_EQ(serving.active_requests(), 0U);
  };
  rt.run(all());
  return seen;
}

/// A minute for "/slow", for ever for "/for-ever".
task<> answer_by_path(request& request, response& response) {
  if (request.path() == "/slow") co_await tare::sleep_for(1min);
  if (request.path() == "/body") {
    const auto body = co_await request.body().read_all();
    if (!body) co_return;
  }
  if (request.path() == "/streamed") (void)co_await response.write("half");
  if (request.path() == "/for-ever" || request.path() == "/streamed") co_await tare::sleep_for(24h);
  (void)co_await response.send("text/plain", "done");
}

TEST(http_stream_drain, ends_at_once_if_no_request_is_in_progress) {
  const ending before = cancel_stream("", answer_by_path);
  EXPECT_EQ(before.lasted, 1s);
  EXPECT_EQ(before.sent, "");
  const ending between = cancel_stream("GET / HTTP/1.1\r\nHost: a\r\n\r\n", answer_by_path);
  EXPECT_EQ(between.lasted, 1s);
  EXPECT_THAT(between.sent, StartsWith("HTTP/1.1 200 OK"));
}

TEST(http_stream_drain, ends_a_request_in_every_state_when_its_time_is_up) {
  for (const std::string_view input :
       {"GET /for-ever HTTP/1.1\r\nHost: a\r\n\r\n", "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        "GET /streamed HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    const ending seen = cancel_stream(input, answer_by_path);
    EXPECT_GE(seen.lasted, 10s) << input;
    EXPECT_LE(seen.lasted, 13s) << input;
    if (input.contains("/streamed")) {
      EXPECT_THAT(seen.sent, Not(HasSubstr("\r\n0\r\n\r\n"))) << "the response looks complete";
    } else {
      EXPECT_THAT(seen.sent, StartsWith("HTTP/1.1 503 ")) << input;
    }
  }
}

TEST(http_stream_drain, ends_a_response_that_the_client_does_not_accept_when_its_time_is_up) {
  const auto reply = [](request& request, response& to) -> task<> {
    if (request.path() == "/slow") co_await tare::sleep_for(1min);
    const std::string body(100'000, 'x');
    (void)co_await to.send("text/plain", body);
  };
  const ending seen = cancel_stream("GET / HTTP/1.1\r\nHost: a\r\n\r\n", reply, 100);
  EXPECT_GE(seen.lasted, 10s);
  EXPECT_LE(seen.lasted, 13s);
  EXPECT_EQ(seen.sent.size(), 100U);
}

TEST(http_stream_drain, ends_a_websocket_when_its_time_is_up) {
  bool was_cancelled = false;
  const auto reply = [&](request& request, response& to) -> task<> {
    if (request.path() == "/slow") co_return co_await answer_by_path(request, to);
    auto socket = co_await tare::http::websocket::accept(request, to);
    if (!socket) co_return;
    try {
      (void)co_await socket->receive();
    } catch (const tare::cancelled&) {
      was_cancelled = true;
      throw;
    }
  };
  const ending seen = cancel_stream(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
      reply);
  EXPECT_TRUE(was_cancelled);
  EXPECT_GE(seen.lasted, 10s);
  EXPECT_LE(seen.lasted, 13s);
  EXPECT_THAT(seen.sent, StartsWith("HTTP/1.1 101 "));
}

TEST(http_stream_drain, ends_an_incomplete_head_when_its_time_is_up) {
  const ending seen = cancel_stream("GET / HTTP/1.1\r\nHo", answer_by_path);
  EXPECT_GE(seen.lasted, 10s);
  EXPECT_LE(seen.lasted, 13s);
}

TEST(http_stream_drain, completes_a_request_that_ends_in_time) {
  const auto reply = [](request& /*request*/, response& to) -> task<> {
    co_await tare::sleep_for(5s);
    (void)co_await to.send("text/plain", "done");
  };
  const ending seen = cancel_stream("GET / HTTP/1.1\r\nHost: a\r\n\r\n", reply);
  EXPECT_GE(seen.lasted, 5s);
  EXPECT_LE(seen.lasted, 7s);
  EXPECT_THAT(seen.sent, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(seen.sent, HasSubstr("connection: close"));
}

}  // namespace
