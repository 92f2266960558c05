// Requests that wait for the next event of a topic: nothing that is published is lost, whenever it comes, and no wait
// outlives its request, its time or its server.

#include "frame/resident_memory.hpp"
#include "http/loopback.hpp"
#include "support/sanitizers.hpp"

#include <tare/http/test.hpp>
#include <tare/resume_on.hpp>
#include <tare/timeout.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::polled;
using tare::http::request;
using tare::http::response;
using tare::http::topic;
using tare::http::test::reply;
using tare::test::raw_client;

constexpr auto limit = 10s;

/// Responds with the event after the one that the client knows.
tare::http::handler next_of(std::optional<topic>& news, std::chrono::nanoseconds at_most = limit) {
  return [&news, at_most](request& request, response& response) -> task<> {
    const auto known = request.fields().find("last-event-id").value_or("");
    polled next = co_await news->wait_for(request, known, at_most);
    if (next) {
      response.set("event-id", next.id());
      (void)co_await response.send("text/plain", next.data());
    } else {
      response.set("event-id", news->last_id());
      (void)co_await response.status(next.has_gap() ? 410 : 204).send();
    }
  };
}

task<reply> ask(std::optional<topic>& news, std::string_view known, std::chrono::nanoseconds at_most = limit) {
  tare::http::test::request request;
  if (!known.empty()) request.fields.add("last-event-id", known);
  return tare::http::test::call(next_of(news, at_most), std::move(request), {});
}

task<reply> call(tare::http::handler handler) { return tare::http::test::call(std::move(handler), {}); }

/// Returns in a task that has been cancelled.
task<> ignore_cancellation() {
  try {
    co_await tare::sleep_for(1h);
  } catch (const tare::cancelled&) {
    co_return;
  }
}

/// Runs `body` with a topic, in virtual time.
void with_topic(tare::http::topic_options options, const std::function<task<>(std::optional<topic>&)>& body,
                std::size_t memory_limit = SIZE_MAX) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time, .memory_limit = memory_limit});
  auto all = [&]() -> task<> {
    std::optional<topic> news;
    news.emplace(options);
    co_await body(news);
    EXPECT_EQ(news->polls(), 0U);
    news.reset();
  };
  rt.run(all());
}

TEST(http_poll, an_event_that_the_client_does_not_know_is_there_at_once) {
  with_topic({.history_bytes = 4000}, [](std::optional<topic>& news) -> task<> {
    for (int i = 0; i < 4; ++i)
      EXPECT_TRUE(news->publish({.data = "data " + std::to_string(i), .id = std::to_string(i)}));
    EXPECT_EQ(news->last_id(), "3");
    const auto began = tare::now();
    for (int i = 1; i < 4; ++i) {
      const reply got = co_await ask(news, std::to_string(i - 1));
      EXPECT_EQ(got.status, 200U);
      EXPECT_EQ(got.body, "data " + std::to_string(i));
      EXPECT_EQ(got.fields.find("event-id"), std::to_string(i));
    }
    EXPECT_EQ(tare::now(), began);
  });
}

TEST(http_poll, waits_for_the_next_event_with_and_without_an_id) {
  with_topic({}, [](std::optional<topic>& news) -> task<> {
    EXPECT_TRUE(news->publish({.data = "old", .id = "7"}));
    EXPECT_EQ(news->kept_bytes(), 0U);
    for (const std::string_view known : {"", "7"}) {
      auto later = [&]() -> task<> {
        co_await tare::sleep_for(3s);
        EXPECT_EQ(news->polls(), 2U);
        EXPECT_TRUE(news->publish({.data = "new", .id = "7"}));
        EXPECT_EQ(news->polls(), 0U);
        EXPECT_EQ(news->kept_bytes(), 0U);  // those who wait share it
        EXPECT_TRUE(news->publish({.data = "newer", .id = "7"}));
      };
      const auto began = tare::now();
      auto [one, other, done] = co_await tare::when_all(ask(news, known), ask(news, known), later());
      EXPECT_EQ(one.body, "new");
      EXPECT_EQ(other.body, "new");
      EXPECT_EQ(tare::now() - began, 3s);
    }
  });
}

TEST(http_poll, ends_without_an_event_when_its_time_is_up) {
  with_topic({}, [](std::optional<topic>& news) -> task<> {
    const std::vector<std::chrono::nanoseconds> limits{std::chrono::nanoseconds::min(), -1s, 0ns, 1ns, limit};
    for (const std::chrono::nanoseconds at_most : limits) {
      const auto began = tare::now();
      const reply got = co_await ask(news, "", at_most);
      EXPECT_EQ(got.status, 204U);
      EXPECT_GE(tare::now() - began, at_most);
      EXPECT_LE(tare::now() - began, std::max(at_most, 0ns) + 2ms);
    }
  });
}

TEST(http_poll, an_event_at_the_very_end_of_its_time_is_not_lost) {
  int with_event = 0;
  int without = 0;
  with_topic({.history_bytes = 4000}, [&](std::optional<topic>& news) -> task<> {
    EXPECT_TRUE(news->publish({.data = "first", .id = "0"}));
    std::string known = "0";
    int number = 0;
    // The task that publishes expires together with the request, before it or after it in the same slot of the wheel.
    for (const bool publishes_first : {true, false}) {
      for (int offset = -3; offset <= 3; ++offset) {
        auto at_the_end = [&]() -> task<> {
          if (!publishes_first) co_await tare::yield();
          co_await tare::sleep_for(limit + offset * 250us);
          ++number;
          EXPECT_TRUE(news->publish({.data = "x", .id = std::to_string(number)}));
        };
        reply got;
        auto request = [&]() -> task<> { got = co_await ask(news, known); };
        if (publishes_first) {
          co_await tare::when_all(at_the_end(), request());
        } else {
          co_await tare::when_all(request(), at_the_end());
        }
        ++(got.status == 200 ? with_event : without);
        if (got.status != 200) {
          EXPECT_EQ(got.status, 204U);
          got = co_await ask(news, known);
        }
        EXPECT_EQ(got.status, 200U);
        EXPECT_EQ(got.fields.find("event-id"), std::to_string(number));
        known = std::to_string(number);
      }
    }
  });
  EXPECT_GT(with_event, 0);
  EXPECT_GT(without, 0);
}

TEST(http_poll, an_event_that_comes_when_the_time_is_up_but_before_the_task_runs) {
  with_topic({}, [](std::optional<topic>& news) -> task<> {
    // It expires in the same step of the wheel, first, and so it runs first.
    auto publish = [&]() -> task<> {
      co_await tare::sleep_for(limit);
      EXPECT_EQ(news->polls(), 1U);
      EXPECT_TRUE(news->publish("just in time"));
      EXPECT_EQ(news->polls(), 0U);
    };
    auto [done, got] = co_await tare::when_all(publish(), ask(news, ""));
    EXPECT_EQ(got.body, "just in time");
  });
}

TEST(http_poll, an_id_that_is_older_than_the_history_is_a_gap) {
  with_topic({.history_bytes = 2000}, [](std::optional<topic>& news) -> task<> {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(news->publish({.data = std::string(100, 'x'), .id = std::to_string(i)}));
    for (const std::string_view unknown : {"3", "another"}) {
      const auto began = tare::now();
      const reply got = co_await ask(news, unknown);
      EXPECT_EQ(got.status, 410U);
      EXPECT_EQ(got.fields.find("event-id"), "99");
      EXPECT_EQ(tare::now(), began);
    }
    // It is dropped between the call and the await.
    auto late = [&](request& request, response& response) -> task<> {
      auto waiting = news->wait_for(request, "98", limit);
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(news->publish({.data = std::string(100, 'x'), .id = "b"}));
      const polled got = co_await waiting;
      (void)co_await response.status(got.has_gap() && !got ? 410 : 500).send();
    };
    EXPECT_EQ((co_await call(late)).status, 410U);
  });
}

TEST(http_poll, an_event_stays_valid_while_its_response_is_made) {
  with_topic({}, [](std::optional<topic>& news) -> task<> {
    std::string seen;
    auto keep = [&](request& request, response& response) -> task<> {
      polled got = co_await news->wait_for(request, "", limit);
      for (int i = 0; i < 10; ++i) EXPECT_TRUE(news->publish(std::string(100, 'z')));
      co_await tare::sleep_for(1s);
      const polled moved = std::move(got);
      EXPECT_FALSE(got);  // NOLINT(bugprone-use-after-move): moving empties it
      seen = std::string(moved.name()) + ' ' + std::string(moved.data());
      (void)co_await response.status(204).send();
    };
    auto publish = [&]() -> task<> {
      co_await tare::sleep_for(1s);
      EXPECT_TRUE(news->publish({.data = "lines\nof text", .name = "named"}));
    };
    co_await tare::when_all(call(keep), publish());
    EXPECT_EQ(seen, "named lines\nof text");
  });
}

TEST(http_poll, a_wait_that_is_cancelled_leaves_nothing) {
  with_topic({}, [](std::optional<topic>& news) -> task<> {
    // Before it begins, in the middle, and when the event has been granted in the same moment.
    for (const int when : {0, 1, 2}) {
      bool cancelled = false;
      std::string got;
      auto handle = [&](request& request, response& response) -> task<> {
        tare::scope inner;
        auto wait = [&]() -> task<> {
          try {
            if (when == 0) co_await ignore_cancellation();
            const polled next = co_await news->wait_for(request, "", limit);
            if (next) got = next.data();
          } catch (const tare::cancelled&) {
            cancelled = true;
            throw;
          }
        };
        inner.spawn(wait());
        co_await tare::sleep_for(1s);
        if (when == 2) {
          EXPECT_EQ(news->polls(), 1U);
          EXPECT_TRUE(news->publish("granted"));
        }
        inner.cancel();
        EXPECT_TRUE(news->publish("later"));
        co_await inner.join();
        EXPECT_EQ(news->polls(), 0U);
        (void)co_await response.status(204).send();
      };
      EXPECT_EQ((co_await call(handle)).status, 204U);
      EXPECT_EQ(cancelled, when != 2);  // a wait that has ended before the cancellation counts as completed
      EXPECT_EQ(got, when == 2 ? "granted" : "");
    }
  });
}

TEST(http_poll, an_event_that_is_not_admitted_reaches_nobody) {
  if (support::has_address_sanitizer) GTEST_SKIP() << "the sanitizer keeps freed memory, which counts";
  with_topic(
      {},
      [](std::optional<topic>& news) -> task<> {
        auto publish = [&]() -> task<> {
          co_await tare::sleep_for(1s);
          EXPECT_EQ(news->polls(), 1U);
          EXPECT_EQ(news->publish(std::string(30U << 20U, 'x')).error(), std::errc::not_enough_memory);
          EXPECT_EQ(news->polls(), 1U);
          co_await tare::sleep_for(1s);
          EXPECT_TRUE(news->publish("small"));
        };
        auto [got, done] = co_await tare::when_all(ask(news, ""), publish());
        EXPECT_EQ(got.body, "small");
      },
      tare::detail::resident_bytes() + (24U << 20U));
}

class http_poll_server : public tare::test::http_test {};

TEST_P(http_poll_server, a_client_that_leaves_ends_its_wait) {
  std::optional<topic> news;
  with_server(next_of(news, 1h), {}, [&](tare::http::server& serving, std::uint16_t port) -> task<> {
    news.emplace();
    {
      auto client = co_await raw_client::connect(port);
      co_await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      while (news->polls() != 1) co_await tare::sleep_for(1ms);
    }
    while (serving.active_requests() != 0) co_await tare::sleep_for(1ms);
    EXPECT_EQ(news->polls(), 0U);
    news.reset();
  });
}

TEST_P(http_poll_server, a_connection_polls_again_and_again) {
  std::optional<topic> news;
  with_server(next_of(news, 20ms), {}, [&](tare::http::server& /*serving*/, std::uint16_t port) -> task<> {
    news.emplace(tare::http::topic_options{.history_bytes = 100'000});
    EXPECT_TRUE(news->publish({.data = "x", .id = "0"}));
    auto client = co_await raw_client::connect(port);
    auto publish = [&]() -> task<> {
      for (int i = 1; i <= 50; ++i) {
        co_await tare::sleep_for(std::chrono::milliseconds(i % 3 * 10));
        EXPECT_TRUE(news->publish({.data = "x", .id = std::to_string(i)}));
      }
    };
    auto read = [&]() -> task<> {
      int known = 0;
      for (int i = 0; i < 1000 && known != 50; ++i) {
        co_await client.send("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: " + std::to_string(known) + "\r\n\r\n");
        const auto got = co_await client.read_response();
        if (got.status == 204) continue;
        EXPECT_EQ(got.status, 200U);
        ++known;
        EXPECT_NE(got.head.find("event-id: " + std::to_string(known) + "\r\n"), std::string::npos) << got.head;
      }
      EXPECT_EQ(known, 50);
    };
    co_await tare::when_all(publish(), read());
    client.stream().close();
    news.reset();
  });
}

TEST_P(http_poll_server, a_server_that_drains_ends_the_waits_and_begins_no_new_ones) {
  std::optional<topic> news;
  bool go_on = false;
  auto wait = next_of(news, 1h);
  auto late = [&](request& request, response& response) -> task<> {
    while (!go_on) co_await tare::sleep_for(1ms);
    co_await wait(request, response);
  };
  tare::http::router routes;
  routes.get("/", wait);
  routes.get("/late", late);
  with_server(routes, {}, [&](tare::http::server& serving, std::uint16_t port) -> task<> {
    news.emplace();
    auto client = co_await raw_client::connect(port);
    auto other = co_await raw_client::connect(port);
    co_await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await other.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    while (news->polls() != 1 || serving.active_requests() != 2) co_await tare::sleep_for(1ms);
    const auto began = tare::now();
    serving.stop();
    EXPECT_EQ((co_await client.read_response()).status, 204U);
    go_on = true;
    EXPECT_EQ((co_await other.read_response()).status, 204U);
    EXPECT_LT(tare::now() - began, 10s);
    while (serving.active_requests() != 0) co_await tare::sleep_for(1ms);
    EXPECT_EQ(news->polls(), 0U);
    news.reset();
  });
}

TARE_ON_ALL_REACTORS(http_poll_server);

TEST(http_poll_death, misuse_names_the_call) {
  auto use = [](const std::function<task<>(std::optional<topic>&, request&)>& what) {
    with_topic({}, [&](std::optional<topic>& news) -> task<> {
      auto handle = [&](request& handshake, response& /*response*/) -> task<> { return what(news, handshake); };
      (void)co_await call(handle);
    });
  };
  EXPECT_DEATH(use([](std::optional<topic>& news, request& handshake) -> task<> {
                 const polled none = co_await news->wait_for(handshake, "", 1ms);
                 (void)none.data();
               }),
               "tare::http::polled::data: there is no event; check the object first");
  EXPECT_DEATH(
      {
        tare::runtime rt({.shards = 2});
        std::optional<topic> news;
        auto handle = [&](request& handshake, response& /*response*/) -> task<> {
          co_await tare::resume_on(tare::shard_id(1));
          (void)co_await news->wait_for(handshake, "", 1ms);
        };
        auto all = [&]() -> task<> {
          news.emplace();
          (void)co_await call(handle);
        };
        rt.run(all());
      },
      "tare::http::topic::wait_for: the topic, the request and the task are not on one shard");
  EXPECT_DEATH(use([](std::optional<topic>& news, request& handshake) -> task<> {
                 auto destroy = [&]() -> task<> {
                   co_await tare::sleep_for(1ms);
                   news.reset();
                 };
                 auto wait = [&]() -> task<> { (void)co_await news->wait_for(handshake, "", 1h); };
                 co_await tare::when_all(wait(), destroy());
               }),
               "a http::topic was destroyed before its subscriptions, or while requests wait for it");
}

}  // namespace
