// Topics: what is published reaches every subscriber whole, in order, and slow ones hold a bounded number of bytes.

#include "frame/resident_memory.hpp"
#include "http/loopback.hpp"
#include "http/strict_client.hpp"
#include "http/websocket_frames.hpp"
#include "support/sanitizers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <optional>
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
using tare::http::slow_subscriber;
using tare::http::subscription;
using tare::http::topic;
using tare::http::topic_options;
using tare::http::websocket;
using tare::test::handshake_for;
using tare::test::masked_frame;
using tare::test::raw_client;
using tare::test::server_close;
using tare::test::server_frame;
using tare::test::strict_client;

router routes_of(std::optional<topic>& news) {
  router routes;
  routes.websocket("/socket", [&](websocket socket) -> task<> {
    const subscription feed(*news, socket);
    while (auto got = co_await socket.receive()) {
      if (!co_await socket.send(got->kind, got->data)) break;
    }
  });
  routes.events("/feed", [&](event_stream out, handshake request) -> task<> {
    const subscription feed(*news, out, request.last_event_id());
    request.discard();
    if (feed.has_gap()) (void)co_await out.send({.data = "", .name = "reset"});
    co_await out.wait();
  });
  return routes;
}

task<raw_client> open(std::uint16_t port, std::string request) {
  auto client = co_await raw_client::connect(port);
  co_await client.send(request);
  (void)co_await client.read_through("\r\n\r\n");
  co_return client;
}

std::string feed(std::string_view more = {}, std::string_view version = "1.1") {
  return "GET /feed HTTP/" + std::string(version) + "\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

task<> wait_for_subscribers(const std::optional<topic>& of, std::size_t count) {
  while (of->subscribers() != count) co_await tare::sleep_for(1ms);
}

class http_topic : public tare::test::http_test {
 protected:
  static void with_topic(topic_options options, const std::function<task<>(topic&, server&, std::uint16_t)>& body,
                         tare::http::server_options of_server = {}) {
    std::optional<topic> news;
    with_server(routes_of(news), std::move(of_server), [&](server& serving, std::uint16_t port) -> task<> {
      news.emplace(options);
      co_await body(*news, serving, port);
      serving.stop();
      co_await wait_for_subscribers(news, 0);
      EXPECT_EQ(news->behind(), 0U);
      EXPECT_LE(news->kept_bytes(), options.history_bytes);
      news.reset();
    });
  }
};

TEST_P(http_topic, reaches_every_kind_of_subscriber) {
  with_topic({}, [](topic& news, server& /*serving*/, std::uint16_t port) -> task<> {
    auto socket = co_await open(port, handshake_for("/socket"));
    auto stream = co_await open(port, feed());
    auto old = co_await open(port, feed({}, "1.0"));
    while (news.subscribers() != 3) co_await tare::sleep_for(1ms);
    EXPECT_TRUE(news.publish({.data = "a\nb", .name = "n", .id = "1"}));
    EXPECT_EQ(co_await socket.read_bytes(5), server_frame(0x81, "a\nb"));
    constexpr std::string_view text = "id: 1\nevent: n\ndata: a\ndata: b\n\n";
    EXPECT_EQ(co_await stream.read_bytes(text.size() + 6), "20\r\n" + std::string(text) + "\r\n");
    EXPECT_EQ(co_await old.read_bytes(text.size()), text);
    EXPECT_FALSE(news.publish({.data = "a", .id = "two\nlines"}));
    EXPECT_EQ(news.kept_bytes(), 0U);
    // The handler's own messages come in between.
    const std::string asks = masked_frame(0x81, "mine");
    co_await socket.send(asks);
    EXPECT_EQ(co_await socket.read_bytes(6), server_frame(0x81, "mine"));
    EXPECT_TRUE(news.publish("c"));
    EXPECT_EQ(co_await socket.read_bytes(3), server_frame(0x81, "c"));
  });
}

TEST_P(http_topic, continues_after_the_last_event_that_a_client_knows) {
  with_topic({.history_bytes = 4000}, [](topic& news, server& /*serving*/, std::uint16_t port) -> task<> {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(news.publish({.data = "x", .id = std::to_string(i)}));
    auto knows = co_await open(port, feed("Last-Event-ID: 2\r\n"));
    EXPECT_EQ(co_await knows.read_through("id: 4\ndata: x\n\n\r\n"),
              "f\r\nid: 3\ndata: x\n\n\r\nf\r\nid: 4\ndata: x\n\n\r\n");
    auto knows_all = co_await open(port, feed("Last-Event-ID: 4\r\n"));
    auto fresh = co_await open(port, feed());
    while (news.subscribers() != 3) co_await tare::sleep_for(1ms);
    EXPECT_TRUE(news.publish({.data = "y", .id = "5"}));
    EXPECT_EQ(co_await knows_all.read_through("\n\n\r\n"), "f\r\nid: 5\ndata: y\n\n\r\n");
    EXPECT_EQ(co_await fresh.read_through("\n\n\r\n"), "f\r\nid: 5\ndata: y\n\n\r\n");
    // It asks for what is no longer there.
    for (int i = 6; i < 100; ++i) EXPECT_TRUE(news.publish({.data = std::string(100, 'z'), .id = std::to_string(i)}));
    EXPECT_LE(news.kept_bytes(), 4000U);
    auto late = co_await open(port, feed("Last-Event-ID: 1\r\n"));
    EXPECT_EQ(co_await late.read_through("data: \n\n\r\n"), "15\r\nevent: reset\ndata: \n\n\r\n");
    EXPECT_TRUE(news.publish("after"));
    EXPECT_EQ(co_await late.read_through("\n\n\r\n"), "d\r\ndata: after\n\n\r\n");
  });
}

/// What a client that does not read for a while gets of 200 events of 50 KB, with its frames checked.
struct behind {
  std::vector<std::string> events;  ///< the first characters of each
  bool cut = false;
  std::uint64_t missed = 0;
  std::size_t most_kept = 0;
};

constexpr int published = 200;
constexpr std::size_t event_bytes = 50'000;
constexpr std::size_t backlog_bytes = 1'000'000;

void run_behind(
    slow_subscriber policy, behind& seen,
    const std::function<void(topic_options, const std::function<task<>(topic&, server&, std::uint16_t)>&)>& run) {
  run({.slow = policy, .max_backlog_bytes = backlog_bytes},
      [&](topic& news, server& serving, std::uint16_t port) -> task<> {
        auto slow = co_await open(port, handshake_for("/socket"));
        auto fast = co_await open(port, handshake_for("/socket"));
        while (news.subscribers() != 2) co_await tare::sleep_for(1ms);
        for (int i = 0; i < published; ++i) {
          std::string data = std::to_string(i);
          data.resize(event_bytes, '.');
          EXPECT_TRUE(news.publish(data));
          const std::string got = co_await fast.read_bytes(event_bytes + 4);
          EXPECT_TRUE(got.substr(4) == data);
          seen.most_kept = std::max(seen.most_kept, news.kept_bytes());
        }
        seen.missed = news.missed();
        std::string all;
        for (;;) {
          const std::string more = co_await slow.read_bytes(1);
          if (more.empty()) break;
          all += more + slow.take_unread();
          if (news.behind() == 0) {
            serving.stop();
          }
        }
        strict_client strict(all);
        const auto frames = strict.frames();
        EXPECT_EQ(strict.error(), "");
        for (const auto& each : frames) {
          if (!each.complete) {
            seen.cut = true;
          } else if (each.opcode == 1) {
            EXPECT_EQ(each.body.size(), event_bytes);
            seen.events.push_back(each.body.substr(0, each.body.find('.')));
          }
        }
      });
}

bool ascends(const std::vector<std::string>& numbers) {
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (std::stoi(numbers[i - 1]) >= std::stoi(numbers[i])) return false;
  }
  return true;
}

TEST_P(http_topic, a_slow_subscriber_misses_the_oldest) {
  behind seen;
  run_behind(slow_subscriber::drop_oldest, seen,
             [](topic_options options, const auto& body) { with_topic(options, body); });
  EXPECT_TRUE(ascends(seen.events));
  EXPECT_FALSE(seen.cut);
  EXPECT_EQ(seen.events.back(), "199");
  EXPECT_LT(seen.events.size(), static_cast<std::size_t>(published));
  EXPECT_LE(seen.most_kept, backlog_bytes);
}

TEST_P(http_topic, a_slow_subscriber_gets_only_the_latest) {
  behind seen;
  run_behind(slow_subscriber::latest_only, seen,
             [](topic_options options, const auto& body) { with_topic(options, body); });
  EXPECT_TRUE(ascends(seen.events));
  EXPECT_FALSE(seen.cut);
  EXPECT_EQ(seen.events.back(), "199");
  EXPECT_LE(seen.most_kept, 3 * event_bytes);  // the latest, and its text as an event
}

TEST_P(http_topic, a_slow_subscriber_is_disconnected) {
  behind seen;
  run_behind(slow_subscriber::disconnect, seen,
             [](topic_options options, const auto& body) { with_topic(options, body); });
  EXPECT_TRUE(ascends(seen.events));
  EXPECT_LT(seen.events.size(), static_cast<std::size_t>(published));
  EXPECT_EQ(seen.missed, 0U);
}

TEST_P(http_topic, a_subscriber_that_reads_nothing_is_left) {
  with_topic({},
             [](topic& news, server& serving, std::uint16_t port) -> task<> {
               auto socket = co_await open(port, handshake_for("/socket"));
               auto stream = co_await open(port, feed());
               while (news.subscribers() != 2) co_await tare::sleep_for(1ms);
               const std::string data(1U << 20U, 'x');
               for (int i = 0; i < 20; ++i) EXPECT_TRUE(news.publish(data));
               EXPECT_EQ(news.behind(), 2U);
               while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
               EXPECT_EQ(news.subscribers(), 0U);
               EXPECT_EQ(news.kept_bytes(), 0U);
             },
             {.write_timeout = 300ms});
}

TEST_P(http_topic, subscribers_leave_in_every_state) {
  with_topic({}, [](topic& news, server& serving, std::uint16_t port) -> task<> {
    const std::string data(1U << 20U, 'x');
    for (const bool is_behind : {false, true}) {
      for (const std::string& request : {handshake_for("/socket"), feed()}) {
        {
          auto client = co_await open(port, request);
          auto other = co_await open(port, request);
          while (news.subscribers() != 2) co_await tare::sleep_for(1ms);
          for (int i = 0; i < (is_behind ? 10 : 0); ++i) EXPECT_TRUE(news.publish(data));
          EXPECT_EQ(news.behind(), is_behind ? 2U : 0U);
          other.stream().close();
          client.stream().close();
        }
        while (serving.lasting_connections() != 0) co_await tare::sleep_for(1ms);
        EXPECT_EQ(news.subscribers(), 0U);
      }
    }
    // The last ones are behind when the server stops.
    auto socket = co_await open(port, handshake_for("/socket"));
    auto stream = co_await open(port, feed());
    while (news.subscribers() != 2) co_await tare::sleep_for(1ms);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(news.publish(data));
    serving.stop();
    const std::string got = co_await socket.read_all();
    EXPECT_FALSE(got.ends_with(server_close(1001)) && got.size() < data.size());
  });
}

TEST_P(http_topic, what_it_keeps_is_admitted_to_the_budget) {
  std::optional<topic> news;
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    server serving(routes_of(news));
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      news.emplace(topic_options{.max_backlog_bytes = 1U << 30U});
      auto slow = co_await open(port, handshake_for("/socket"));
      while (news->subscribers() != 1) co_await tare::sleep_for(1ms);
      const std::size_t before = tare::memory().promised();
      const std::string data(1U << 20U, 'x');
      int refused = 0;
      std::size_t most = 0;
      for (int i = 0; i < 100; ++i) {
        if (!news->publish(data)) ++refused;
        most = std::max(most, tare::memory().promised());
      }
      EXPECT_LE(most, tare::memory().limit());
      EXPECT_LT(refused, 100);
      EXPECT_GT(most, before);
      serving.stop();
      slow.stream().close();
      co_await wait_for_subscribers(news, 0);
      news.reset();
      EXPECT_LE(tare::memory().promised(), before);
    };
    co_await tare::when_all(serve(), use());
  };
  auto chosen = options();
  chosen.memory_limit = tare::detail::resident_bytes() + (24U << 20U);
  run(all(), chosen);
}

TEST_P(http_topic, a_full_history_costs_no_subscriber_its_connection) {
  if (support::is_sanitized) GTEST_SKIP() << "the sanitizer's memory counts toward the budget";
  std::optional<topic> news;
  auto all = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    server serving(routes_of(news));
    auto serve = [&]() -> task<> { (void)co_await serving.serve(std::move(listening)); };
    auto use = [&]() -> task<> {
      news.emplace(topic_options{.history_bytes = 1U << 30U});
      auto stream = co_await open(port, feed());
      co_await wait_for_subscribers(news, 1);
      const std::string data(1U << 20U, 'x');
      int published = 0;
      for (int i = 0; i < 100; ++i) {
        if (!news->publish(data)) continue;
        ++published;
        const std::string got = co_await stream.read_through("\n\n\r\n");
        EXPECT_TRUE(got.ends_with("\n\n\r\n")) << i;
      }
      EXPECT_GT(published, 10);
      EXPECT_EQ(news->subscribers(), 1U);
      EXPECT_LE(tare::memory().promised(), tare::memory().limit());
      serving.stop();
      stream.stream().close();
      co_await wait_for_subscribers(news, 0);
      news.reset();
    };
    co_await tare::when_all(serve(), use());
  };
  auto chosen = options();
  chosen.memory_limit = tare::detail::resident_bytes() + (24U << 20U);
  run(all(), chosen);
}

TARE_ON_ALL_REACTORS(http_topic);

}  // namespace
