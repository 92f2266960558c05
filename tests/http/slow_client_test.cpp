// How long clients may take that send or receive slowly, in virtual time.

#include "http/memory_stream.hpp"

#include <tare/http.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::http::server_options;
using tare::http::websocket;
using tare::test::memory_stream;
using tare::test::wire;
using testing::HasSubstr;
using testing::StartsWith;

task<> ignore(request& /*request*/, response& response) { (void)co_await response.send("text/plain", "ok"); }
task<> ignore_and_close(request& /*request*/, response& response) {
  response.close();
  (void)co_await response.send("text/plain", "ok");
}
task<> sleep(request& /*request*/, response& /*response*/) { co_await tare::sleep_for(1h); }
task<> read_all(request& request, response& response) {
  auto body = co_await request.body().read_all();
  if (body) (void)co_await response.send("text/plain", std::to_string(body->size()));
}

struct pace {
  std::string_view piece;
  std::chrono::nanoseconds between;
  int count;
};

struct outcome {
  std::string sent;
  std::chrono::nanoseconds lasted{};
};

/// A client that sends a head, and then the pieces of its body at this pace.
outcome serve(tare::http::handler handle, server_options options, std::string_view head, pace body) {
  outcome seen;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    client.input = head;
    server serving(std::move(handle), std::move(options));
    const auto begun = tare::now();
    auto served = [&]() -> task<> {
      co_await serving.serve_stream(memory_stream(client));
      seen.lasted = tare::now() - begun;
    };
    auto drip = [&]() -> task<> {
      for (int i = 0; i < body.count && !client.closed; ++i) {
        co_await tare::sleep_for(body.between);
        client.send(body.piece);
      }
    };
    co_await tare::when_all(served(), drip());
    seen.sent = client.output;
  };
  rt.run(all());
  return seen;
}

constexpr std::string_view with_length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000\r\n\r\n";
constexpr std::string_view chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::string_view to_be_closed =
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 16000\r\n\r\n";

TEST(slow_client, a_body_that_nobody_reads_is_skipped_for_a_moment_only) {
  for (const std::string_view head : {with_length, to_be_closed}) {
    for (const auto between : {10ms, 200ms, 900ms, 5000ms}) {
      for (const auto& response : {ignore, ignore_and_close}) {
        const outcome seen = serve(response, {}, head, {.piece = "x", .between = between, .count = 2000});
        EXPECT_THAT(seen.sent, StartsWith("HTTP/1.1 200 OK\r\n"));
        // If the connection will be closed, nothing is skipped: the client has one second to receive the response.
        const bool closes = head == to_be_closed || response == &ignore_and_close;
        EXPECT_LE(seen.lasted, closes ? 1500ms : 2500ms) << head << between.count();
      }
    }
  }
  const outcome seen = serve(ignore, {}, chunked, {.piece = "1\r\nx\r\n", .between = 300ms, .count = 2000});
  EXPECT_LE(seen.lasted, 6s);
}

TEST(slow_client, a_body_is_not_skipped_after_the_time_of_the_request) {
  const outcome seen =
      serve(sleep, {.request_timeout = 1s}, with_length, {.piece = "x", .between = 300ms, .count = 2000});
  EXPECT_THAT(seen.sent, StartsWith("HTTP/1.1 503 "));
  EXPECT_LE(seen.lasted, 2500ms);
}

TEST(slow_client, a_body_has_a_least_rate) {
  const server_options options{.body_timeout = 2s, .body_min_rate = 100};
  for (const std::string_view head : {with_length, chunked}) {
    const std::string_view byte = head == chunked ? "1\r\nx\r\n" : "x";
    const outcome slow = serve(read_all, options, head, {.piece = byte, .between = 1s, .count = 2000});
    EXPECT_THAT(slow.sent, StartsWith("HTTP/1.1 408 "));
    EXPECT_LE(slow.lasted, 6s);
  }
  // Chunk extensions do not count as the body.
  const std::string padded = "1;" + std::string(100, 'e') + "\r\nx\r\n";
  const outcome framing = serve(read_all, options, chunked, {.piece = padded, .between = 1s, .count = 2000});
  EXPECT_THAT(framing.sent, StartsWith("HTTP/1.1 4"));
  EXPECT_LE(framing.lasted, 6s);
}

TEST(slow_client, a_steady_body_may_take_longer_than_any_wait) {
  const server_options options{.body_timeout = 2s, .body_min_rate = 100, .idle_timeout = 1s};
  const std::string piece(200, 'x');
  const outcome seen = serve(read_all, options, with_length, {.piece = piece, .between = 1s, .count = 80});
  EXPECT_THAT(seen.sent, HasSubstr("16000"));
  EXPECT_GE(seen.lasted, 79s);
}

TEST(slow_client, without_a_least_rate_each_wait_counts_alone) {
  const server_options options{.body_timeout = 2s, .body_min_rate = 0, .idle_timeout = 1s};
  constexpr std::string_view head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n";
  const outcome seen = serve(read_all, options, head, {.piece = "x", .between = 1s, .count = 60});
  EXPECT_THAT(seen.sent, StartsWith("HTTP/1.1 200 "));
}

/// A client that receives this many bytes per second of a 1 MB response.
outcome take_slowly(std::size_t bytes_per_second) {
  outcome seen;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    client.room = 0;
    client.input = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const std::string body(1'000'000, 'x');
    auto reply = [&](request& /*request*/, response& to) -> task<> { (void)co_await to.send("text/plain", body); };
    server serving(reply, {.write_timeout = 10s});
    const auto begun = tare::now();
    auto served = [&]() -> task<> {
      co_await serving.serve_stream(memory_stream(client));
      seen.lasted = tare::now() - begun;
    };
    auto take = [&]() -> task<> {
      for (int i = 0; i < 1000 && !client.closed; ++i) {
        co_await tare::sleep_for(1s);
        client.take(bytes_per_second);
      }
    };
    co_await tare::when_all(served(), take());
    seen.sent = client.output;
  };
  rt.run(all());
  return seen;
}

TEST(slow_client, who_takes_all_the_time_gets_all_of_it) {
  const outcome seen = take_slowly(10'000);
  EXPECT_GT(seen.sent.size(), 1'000'000U);
  EXPECT_GE(seen.lasted, 99s);
}

TEST(slow_client, who_takes_next_to_nothing_is_left) {
  const outcome seen = take_slowly(1000);
  EXPECT_LT(seen.sent.size(), 20'000U);
  EXPECT_LE(seen.lasted, 11s);
}

struct stalled {
  std::error_code error;
  std::chrono::nanoseconds lasted{};
  std::string sent;
};

/// A WebSocket whose client receives this many bytes after the handshake, and nothing more.
stalled stall_websocket(std::string_view input, std::size_t room, std::size_t message_bytes) {
  stalled seen;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    client.input =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    client.input += input;
    const std::string message(message_bytes, 'x');
    auto reply = [&](request& request, response& to) -> task<> {
      auto socket = co_await websocket::accept(request, to);
      if (!socket) co_return;
      client.room = room;
      client.output.clear();
      const auto begun = tare::now();
      if (message_bytes == 0) {
        const auto got = co_await tare::timeout(1h, socket->receive());
        if (got && !*got) seen.error = got->error();
      } else {
        const auto sent = co_await tare::timeout(1h, socket->send_binary(message));
        if (sent && !*sent) seen.error = sent->error();
      }
      seen.lasted = tare::now() - begun;
    };
    server serving(reply, {.write_timeout = 10s});
    co_await serving.serve_stream(memory_stream(client));
    EXPECT_TRUE(client.closed);
    seen.sent = client.output;
  };
  rt.run(all());
  return seen;
}

TEST(slow_client, of_a_websocket_is_left_when_it_takes_nothing) {
  constexpr std::string_view ping("\x89\x80\0\0\0\0", 6);
  struct state {
    std::string_view input;
    std::size_t room;
    std::size_t message_bytes;  // 0: only the pong is sent
  };
  for (const state& in :
       {state{.input = {}, .room = 0, .message_bytes = 5}, state{.input = {}, .room = 3, .message_bytes = 5},
        state{.input = {}, .room = 0, .message_bytes = 1'000'000},
        state{.input = {}, .room = 100'000, .message_bytes = 1'000'000},
        state{.input = ping, .room = 0, .message_bytes = 0}, state{.input = ping, .room = 1, .message_bytes = 0}}) {
    const stalled seen = stall_websocket(in.input, in.room, in.message_bytes);
    EXPECT_EQ(seen.error, std::errc::timed_out) << in.message_bytes << " bytes, room for " << in.room;
    EXPECT_LE(seen.lasted, 21s);
    EXPECT_EQ(seen.sent.size(), in.room);  // no close frame inside another frame
  }
}

}  // namespace
