// Event streams of router::events.

#include "http/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::event_stream;
using tare::http::handshake;
using tare::http::router;
using tare::http::server;
using tare::test::raw_client;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view get = "GET /feed HTTP/1.1\r\nHost: a\r\n\r\n";

/// The text of the chunks; ends with "!" if the last one is missing.
std::string text_of_chunks(std::string_view chunks) {
  std::string text;
  for (;;) {
    const std::size_t end = chunks.find("\r\n");
    if (end == std::string_view::npos) return text + "!";
    const std::size_t size = std::stoul(std::string(chunks.substr(0, end)), nullptr, 16);
    chunks.remove_prefix(end + 2);
    if (chunks.size() < size + 2) return text + "!";
    if (size == 0) return text;
    text += chunks.substr(0, size);
    chunks.remove_prefix(size + 2);
  }
}

task<raw_client> open(std::uint16_t port, std::string_view request = get) {
  auto client = co_await raw_client::connect(port);
  co_await client.send(request);
  const std::string head = co_await client.read_through("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("content-type: text/event-stream\r\n"));
  EXPECT_THAT(head, HasSubstr("cache-control: no-store\r\n"));
  co_return client;
}

task<> wait_for_none(server& serving) {
  while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
}

class http_events : public tare::test::http_test {};

TEST_P(http_events, sends_the_fields_of_events_and_lines_of_data) {
  std::string last;
  router routes;
  routes.events("/feed", [&](event_stream out, handshake request) -> task<> {
    last = request.last_event_id();
    auto sent = co_await out.send("one line");
    EXPECT_TRUE(sent);
    sent = co_await out.send({.data = "a\nb\r\nc\rd\n", .name = "price", .id = "7", .retry = 1500ms});
    EXPECT_TRUE(sent);
    sent = co_await out.send({.data = "", .id = "8"});
    EXPECT_TRUE(sent);
    sent = co_await out.send({.data = "x", .name = "two\nlines"});
    EXPECT_FALSE(sent);
    if (!sent) {
      EXPECT_EQ(sent.error(), std::errc::invalid_argument);
    }
    sent = co_await out.send({.data = "x", .id = std::string_view("\0", 1)});
    EXPECT_FALSE(sent);
    const std::string large(100'000, 'z');
    sent = co_await out.send(large);
    EXPECT_TRUE(sent);
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await open(port, "GET /feed HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 6\r\n\r\n");
    EXPECT_EQ(text_of_chunks(co_await client.read_all()),
              "data: one line\n\n"
              "id: 7\nevent: price\nretry: 1500\ndata: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"
              "id: 8\ndata: \n\n"
              "data: " +
                  std::string(100'000, 'z') + "\n\n");
    EXPECT_EQ(last, "6");
    co_await wait_for_none(serving);
  });
}

TEST_P(http_events, serves_http_1_0_until_the_end_of_the_connection) {
  router routes;
  routes.events("/feed", [](event_stream out) -> task<> { (void)co_await out.send("a"); });
  with_server(routes, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await open(port, "GET /feed HTTP/1.0\r\n\r\n");
    EXPECT_EQ(co_await client.read_all(), "data: a\n\n");
  });
}

TEST_P(http_events, answers_other_methods) {
  router routes;
  routes.events("/feed", [](event_stream) -> task<> { co_return; });
  with_server(routes, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send("HEAD /feed HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto head = co_await client.read_response(true);
    EXPECT_EQ(head.status, 200U);
    EXPECT_THAT(head.head, HasSubstr("text/event-stream"));
    EXPECT_EQ((co_await client.ask("POST /feed HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).status, 405U);
    EXPECT_EQ((co_await client.ask("GET /feed HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")).status, 400U);
    EXPECT_EQ(serving.lasting_connections(), 0U);
  });
}

TEST_P(http_events, cancels_the_handler_when_the_client_leaves) {
  int cancelled = 0;
  router routes;
  routes.events("/feed", [&](event_stream out) -> task<> {
    (void)co_await out.send("a");
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      ++cancelled;
      throw;
    }
  });
  with_server(routes, {}, [&](server& serving, std::uint16_t port) -> task<> {
    for (const bool resets : {false, true}) {
      auto client = co_await open(port);
      (void)co_await client.read_through("\n\n");
      if (resets) {
        constexpr linger at_once{.l_onoff = 1, .l_linger = 0};
        (void)::setsockopt(client.stream().native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      }
      client.stream().close();
      co_await wait_for_none(serving);
    }
    EXPECT_EQ(cancelled, 2);
    // It leaves before the handler waits for the first time.
    auto hasty = co_await raw_client::connect(port);
    co_await hasty.send(get);
    hasty.stream().close();
    co_await tare::sleep_for(20ms);
    co_await wait_for_none(serving);
  });
}

TEST_P(http_events, does_not_listen_to_its_client) {
  router routes;
  routes.events("/feed", [](event_stream out) -> task<> {
    for (;;) {
      if (!co_await out.send("a")) co_return;
      co_await tare::sleep_for(1ms);
    }
  });
  with_server(routes, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await open(port, std::string(get) + "what follows");
    co_await client.send("a little more");
    (void)co_await client.read_through("data: a\n\n");
    EXPECT_EQ(serving.lasting_connections(), 1U);
    const std::string flood(8U << 20U, 'x');
    (void)co_await client.stream().write(std::as_bytes(std::span(flood)));
    co_await wait_for_none(serving);
  });
}

TEST_P(http_events, sends_comments_when_nothing_else_is_sent) {
  router routes;
  routes.events("/feed", [](event_stream) -> task<> { co_await tare::sleep_for(1h); }, {.heartbeat_interval = 100ms});
  with_server(routes, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await open(port);
    EXPECT_EQ(co_await client.read_bytes(24), "3\r\n:\n\n\r\n3\r\n:\n\n\r\n3\r\n:\n\n\r\n");
    EXPECT_EQ(serving.lasting_connections(), 1U);
  });
}

TEST_P(http_events, ends_as_its_handler_does) {
  std::vector<std::string> errors;
  const tare::http::server_options options = tare::test::recording_errors(errors);
  router routes;
  routes.events("/feed", [](event_stream out) -> task<> {
    (void)co_await out.send("a");
    throw std::runtime_error("lost");
  });
  routes.events("/drained", [](event_stream out) -> task<> {
    (void)co_await out.send("a");
    co_await tare::sleep_for(1h);
  });
  with_server(routes, options, [&](server& serving, std::uint16_t port) -> task<> {
    auto failed = co_await open(port);
    EXPECT_THAT(text_of_chunks(co_await failed.read_all()), testing::EndsWith("!"));
    EXPECT_EQ(errors.size(), 1U);
    auto drained = co_await open(port, "GET /drained HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)co_await drained.read_through("data: a\n\n\r\n");
    serving.stop();
    EXPECT_EQ(co_await drained.read_all(), "0\r\n\r\n");
  });
}

TEST_P(http_events, gives_up_a_client_that_reads_nothing) {
  std::error_code error;
  router routes;
  routes.events("/feed", [&](event_stream out) -> task<> {
    const std::string large(100'000, 'x');
    for (;;) {
      const auto sent = co_await out.send(large);
      if (sent) continue;
      error = sent.error();
      co_return;
    }
  });
  with_server(routes, {.write_timeout = 300ms}, [&](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await open(port);
    co_await wait_for_none(serving);
    EXPECT_EQ(error, std::errc::timed_out);
    // Nothing that looks complete.
    EXPECT_THAT(text_of_chunks(co_await client.read_all()), testing::EndsWith("!"));
  });
}

TEST_P(http_events, sends_from_several_tasks_whole_events) {
  router routes;
  routes.events("/feed", [](event_stream out) -> task<> {
    auto send = [&](char letter) -> task<> {
      const std::string data(50'000, letter);
      for (int i = 0; i < 20; ++i) {
        const auto sent = co_await out.send(data);
        EXPECT_TRUE(sent);
      }
    };
    co_await tare::when_all(send('a'), send('b'), send('c'));
  });
  with_server(routes, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await open(port);
    co_await tare::sleep_for(50ms);
    const std::string text = text_of_chunks(co_await client.read_all());
    EXPECT_EQ(text.size(), 60U * (50'000 + 8));
    for (std::size_t at = 0; at + 50'008 <= text.size(); at += 50'008) {
      EXPECT_EQ(text.substr(at, 50'008), "data: " + std::string(50'000, text[at + 6]) + "\n\n");
    }
  });
}

TARE_ON_ALL_REACTORS(http_events);

}  // namespace
