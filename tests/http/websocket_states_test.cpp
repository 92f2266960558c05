// A WebSocket of a route is cancelled, refused memory, or left by its peer, in each state of receiving and sending.

#include "frame/heap.hpp"
#include "http/memory_stream.hpp"
#include "http/strict_client.hpp"
#include "http/websocket_client.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
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
using tare::test::close_payload;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::memory_stream;
using tare::test::open_websocket;
using tare::test::raw_client;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::strict_client;
using tare::test::wire;

class websocket_states : public tare::test::http_test {};

TEST_P(websocket_states, a_cancelled_receive_has_taken_nothing) {
  std::vector<std::string> got;
  int timeouts = 0;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    while (got.size() < 20) {
      auto limited = co_await tare::timeout(1ms, socket.receive());
      if (!limited) {
        ++timeouts;
        continue;
      }
      if (!*limited) co_return;
      got.emplace_back((*limited)->data);
    }
  });
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await open_websocket(port);
    std::string all;
    for (int i = 0; i < 20; ++i) all += masked_frame(0x81, "message " + std::to_string(i));
    for (std::size_t at = 0; at < all.size(); at += 3) {
      const std::string_view piece = std::string_view(all).substr(at, 3);
      co_await client.send(piece);
      co_await tare::sleep_for(500us);
    }
    EXPECT_EQ(co_await client.read_all(), server_close(1000));
    EXPECT_EQ(got.size(), 20U);
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], "message " + std::to_string(i));
    EXPECT_GT(timeouts, 0);
  });
}

TEST_P(websocket_states, nothing_follows_half_a_frame) {
  bool was_cancelled = false;
  std::error_code later;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    const std::string large(20'000'000, 'a');
    const auto sent = co_await tare::timeout(50ms, socket.send_binary(large));
    was_cancelled = !sent.has_value();
    const auto again = co_await socket.send_text("b");
    if (!again) later = again.error();
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await open_websocket(port);
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
    EXPECT_TRUE(was_cancelled);
    EXPECT_EQ(later, errc::already_sent);
    const std::string received = co_await client.read_all();
    strict_client strict(received);
    const auto frames = strict.frames();
    EXPECT_EQ(frames.size(), 1U);
    if (!frames.empty()) {
      EXPECT_FALSE(frames[0].complete);
    }
    EXPECT_EQ(received.find('b'), std::string::npos);
  });
}

// One task sends large messages to a client that does not read, others send small ones, and the client sends pings.
TEST_P(websocket_states, frames_of_several_senders_and_pongs_are_whole) {
  router routes;
  routes.websocket("/", [](websocket socket) -> task<> {
    auto send = [&](char letter, std::size_t size) -> task<> {
      const std::string message(size, letter);
      for (int i = 0; i < 10; ++i) {
        const auto sent = co_await socket.send_binary(message);
        EXPECT_TRUE(sent);
        co_await tare::yield();
      }
    };
    auto receive = [&]() -> task<> {
      for (;;) {
        auto got = co_await socket.receive();
        if (!got) co_return;
      }
    };
    auto send_all = [&]() -> task<> {
      co_await tare::when_all(send('a', 1'000'000), send('b', 10), send('c', 20'000), send('d', 0));
      const auto closed = co_await socket.close();
      EXPECT_TRUE(closed);
    };
    co_await tare::when_all(send_all(), receive());
  });
  with_server(routes, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await open_websocket(port);
    const std::string ping = masked_frame(0x89, "ping");
    for (int i = 0; i < 5; ++i) {
      co_await client.send(ping);
      co_await tare::sleep_for(2ms);
    }
    // 10 large frames, 30 others, pongs, and the close frame.
    std::string all;
    while (!all.ends_with(server_close(1000))) {
      const std::string more = co_await client.read_bytes(1);
      if (more.empty()) break;
      all += more;
      // Everything else that has arrived, too.
      all += client.take_unread();
    }
    const std::string bye = masked_frame(0x88, close_payload(1000));
    co_await client.send(bye);
    EXPECT_EQ(co_await client.read_all(), "");
    strict_client strict(all);
    const auto frames = strict.frames();
    EXPECT_EQ(strict.error(), "");
    std::size_t messages = 0;
    std::size_t pongs = 0;
    for (const auto& each : frames) {
      EXPECT_TRUE(each.complete);
      if (each.opcode == 2) {
        ++messages;
        EXPECT_EQ(each.body, std::string(each.body.size(), each.body.empty() ? ' ' : each.body[0]));
      } else if (each.opcode == 10) {
        ++pongs;
        EXPECT_EQ(each.body, "ping");
      }
    }
    EXPECT_EQ(messages, 40U);
    EXPECT_EQ(pongs, 5U);
  });
}

TEST_P(websocket_states, pongs_that_nobody_reads_are_bounded) {
  std::size_t most = 0;
  std::error_code error;
  router routes;
  routes.websocket("/", [&](websocket socket) -> task<> {
    auto watch = [&]() -> task<> {
      for (;;) {
        most = std::max(most, socket.buffered_bytes());
        co_await tare::sleep_for(1ms);
      }
    };
    auto receive = [&]() -> task<> {
      for (;;) {
        auto got = co_await socket.receive();
        if (!got) {
          error = got.error();
          co_return;
        }
      }
    };
    co_await tare::when_any(receive(), watch());
  });
  with_server(routes, {.write_timeout = 300ms}, [&](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await open_websocket(port);
    std::string pings;
    for (int i = 0; i < 500; ++i) pings += masked_frame(0x89, std::string(125, 'p'));
    client.stream().expires_after(10s);
    while (serving.lasting_connections() != 0) {
      const auto sent = co_await client.stream().write(std::as_bytes(std::span(pings)));
      if (!sent) break;
    }
    while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
    EXPECT_LE(most, 20'000U);
    EXPECT_EQ(error, std::errc::timed_out);
  });
}

TEST_P(websocket_states, only_one_task_receives) {
  router routes;
  std::error_code error;
  routes.websocket("/", [&](websocket socket) -> task<> {
    auto first = [&]() -> task<> { (void)co_await socket.receive(); };
    auto second = [&]() -> task<> {
      auto got = co_await socket.receive();
      if (!got) error = got.error();
      (void)co_await socket.send_text("a");
    };
    co_await tare::when_all(first(), second());
  });
  with_server(routes, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await open_websocket(port);
    EXPECT_EQ(co_await client.read_bytes(3), server_frame(0x81, "a"));
    EXPECT_EQ(error, std::errc::device_or_resource_busy);
    const std::string bye = masked_frame(0x88, "");
    co_await client.send(bye);
    (void)co_await client.read_all();
  });
}

// The handler is cancelled after every delay in the first milliseconds of a conversation.
TEST_P(websocket_states, the_server_stops_at_any_moment) {
  for (int delay = 0; delay < 40; ++delay) {
    router routes;
    routes.websocket("/", [](websocket socket) -> task<> {
      while (auto got = co_await socket.receive()) {
        if (!co_await socket.send(got->kind, got->data)) break;
      }
    });
    with_server(routes, {}, [delay](server& serving, std::uint16_t port) -> task<> {
      auto client = co_await raw_client::connect(port);
      const std::string all = handshake_for("/") + masked_frame(0x01, "a") + masked_frame(0x89, "b") +
                              masked_frame(0x80, std::string(50'000, 'c'));
      co_await client.send(all);
      co_await tare::sleep_for(std::chrono::microseconds(delay * 50));
      serving.stop();
      const std::string received = co_await client.read_all();
      strict_client strict(received);
      const auto responses = strict.responses();
      EXPECT_EQ(strict.error(), "");
      if (responses.empty() || responses[0].status != 101) co_return;
      const auto frames = strict.frames();
      EXPECT_EQ(strict.error(), "");
      for (std::size_t i = 0; i + 1 < frames.size(); ++i) EXPECT_TRUE(frames[i].complete);
    });
  }
}

TARE_ON_ALL_REACTORS(websocket_states);

// --- without sockets: virtual time, any stream ----------------------------------------------------------------------

struct seen {
  std::string output;
  std::string head;
  bool closed = false;
  std::vector<std::string> messages;
  std::error_code error;
};

/// A client that sends `input`, cut at `at`, and accepts `room` bytes at a time.
seen converse(const std::string& input, std::size_t at, std::size_t room) {
  seen result;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    router routes;
    routes.websocket("/", [&](websocket socket) -> task<> {
      for (;;) {
        auto got = co_await socket.receive();
        if (!got) {
          result.error = got.error();
          co_return;
        }
        result.messages.emplace_back(got->data);
        if (!co_await socket.send(got->kind, got->data)) co_return;
      }
    });
    server serving(routes);
    client.room = room;
    auto serve = [&]() -> task<> { co_await serving.serve_stream(memory_stream(client)); };
    auto behave = [&]() -> task<> {
      client.send(std::string_view(input).substr(0, at));
      co_await tare::sleep_for(10ms);
      client.send(std::string_view(input).substr(at));
      for (int i = 0; i < 10'000 && !client.write_ended && !client.closed; ++i) {
        co_await tare::sleep_for(1ms);
        client.take(room);
      }
      client.input_ends = true;
      client.change();
    };
    co_await tare::when_all(serve(), behave());
    result.output = client.output;
    result.closed = client.closed;
    EXPECT_EQ(serving.lasting_connections(), 0U);
  };
  rt.run(all());
  const std::size_t end = result.output.find("\r\n\r\n") + 4;
  result.head = result.output.substr(0, end);
  result.output.erase(0, end);
  return result;
}

TEST(websocket_on_any_stream, understands_frames_cut_at_every_byte_by_a_client_that_reads_slowly) {
  const std::string frames = masked_frame(0x01, "in ") + masked_frame(0x89, "ping") + masked_frame(0x80, "pieces") +
                             masked_frame(0x82, std::string(200, 'b')) + masked_frame(0x88, close_payload(4000));
  const std::string input = handshake_for("/") + frames;
  const std::string expected = server_frame(0x8a, "ping") + server_frame(0x81, "in pieces") +
                               server_frame(0x82, std::string(200, 'b')) + server_close(4000);
  for (const std::size_t room : {wire::unlimited, std::size_t{1}, std::size_t{5}, std::size_t{150}}) {
    for (std::size_t at = 0; at <= input.size(); at += room == 1 ? 9 : 1) {
      const seen got = converse(input, at, room);
      EXPECT_EQ(got.output, expected) << "cut at " << at << ", room " << room;
      EXPECT_EQ(got.error, errc::closed_by_peer);
      EXPECT_TRUE(got.closed);
    }
  }
}

/// The nth allocation after the handler has begun is refused. True if the handler, or the end of its connection, has
/// met that.
bool refuse(std::uint64_t nth) {
  bool refused = false;
  std::string output;
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto all = [&]() -> task<> {
    wire client;
    router routes;
    routes.websocket("/", [&](websocket socket) -> task<> {
      client.room = 1000;
      tare::detail::current_heap->fail_at(nth);
      const std::string large(50'000, 'a');
      (void)co_await socket.send_binary(large);
      (void)co_await socket.receive();
      (void)co_await socket.close(4000, "enough");
    });
    server serving(routes, {.on_error = [&](const std::exception_ptr&) { refused = true; }});
    client.input = handshake_for("/") + masked_frame(0x01, "a part");
    auto serve = [&]() -> task<> { co_await serving.serve_stream(memory_stream(client)); };
    auto behave = [&]() -> task<> {
      for (int i = 0; i < 200 && !client.closed; ++i) {
        co_await tare::sleep_for(100ms);
        client.take(1000);
        if (i == 100) client.send(masked_frame(0x80, "another"));
        if (i == 150) client.input_ends = true;
      }
      client.change();
    };
    co_await tare::when_all(serve(), behave());
    tare::detail::current_heap->fail_at(0);
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(serving.lasting_connections(), 0U);
    output = client.output;
  };
  rt.run(all());
  strict_client strict(output);
  EXPECT_EQ(strict.responses().size(), 1U);
  EXPECT_EQ(strict.error(), "");
  const auto frames = strict.frames();
  EXPECT_EQ(strict.error(), "") << "allocation " << nth;
  if (frames.empty() || !frames.back().complete || frames.back().opcode != 8) refused = true;
  return refused;
}

TEST(websocket_on_any_stream, ends_only_itself_whichever_allocation_is_refused) {
  std::uint64_t nth = 1;
  int refusals = 0;
  for (; nth < 80; ++nth) refusals += refuse(nth) ? 1 : 0;
  EXPECT_GT(refusals, 2);
  EXPECT_FALSE(refuse(1'000'000));
}

}  // namespace
