// Against servers that respond correctly, incorrectly, and not at all, in one runtime.

#include "load/crowd.hpp"

#include "load/closed_loop.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tare::load {
namespace {

using namespace std::chrono_literals;

using test_body = std::function<task<>(const target&)>;

/// Runs `body` while `serve` accepts on a listener; ends both when `body` ends.
template <class Serve>
void with_server(Serve serve, const test_body& body) {
  auto all = [&]() -> task<> {
    auto listening = net::listener::bind(net::endpoint::loopback(0));
    if (!listening) throw std::system_error(listening.error());
    const target at = target_at(listening->local().value(), "/").value();
    co_await with_scope([&](scope& s) -> task<> {
      s.spawn(serve(std::move(*listening), s));
      co_await body(at);
      s.cancel();
    });
  };
  run(all());
}

/// An HTTP server whose handler responds with `status`.
auto answering(unsigned status, int& requests) {
  return [status, &requests](net::listener listening, scope& /*all*/) -> task<> {
    auto reply = [status, &requests](http::request& /*request*/, http::response& response) -> task<> {
      ++requests;
      response.status(status);
      (void)co_await response.send("text/plain", "hello");
    };
    http::server server(reply);
    (void)co_await server.serve(std::move(listening));
  };
}

task<> say(net::stream to, std::string_view text) {
  if (auto request = co_await to.read(); request && !request->empty()) {
    (void)co_await to.write(std::as_bytes(std::span(text)));
  }
}

/// Sends this text in response to anything, and closes the connection.
auto saying(std::string_view text) {
  return [text](net::listener listening, scope& all) -> task<> {
    while (auto client = co_await listening.accept()) all.spawn(say(std::move(*client), text));
  };
}

TEST(crowd, asks_on_every_connection_and_asks_again) {
  int requests = 0;
  with_server(answering(200, requests), [&](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 16, .sources = 3});
    std::size_t seen = 0;
    const tally opened = co_await all.open(200, [&](std::size_t done) { seen = done; });
    EXPECT_EQ(opened.succeeded, 200U) << opened.first;
    EXPECT_EQ(opened.failed, 0U);
    EXPECT_EQ(seen, 200U);
    EXPECT_EQ(all.size(), 200U);
    EXPECT_EQ((co_await all.ask_all()).succeeded, 200U);
    all.close_all();
    EXPECT_EQ(all.size(), 0U);
  });
  EXPECT_EQ(requests, 400);
}

TEST(crowd, counts_an_answer_that_is_not_the_right_one_as_a_failure) {
  int requests = 0;
  with_server(answering(503, requests), [](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 4});
    const tally opened = co_await all.open(1000);
    EXPECT_EQ(opened.succeeded, 0U);
    EXPECT_EQ(opened.first, "responded with 503");
    EXPECT_LT(opened.failed, 20U) << "it gives up early";
    EXPECT_EQ(all.size(), 0U);
  });
}

TEST(crowd, says_how_a_server_failed) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "closed without a response"},
      {"HTTP/1.1 200 OK\r\nContent-Le", "the response was truncated"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "the response was truncated"},
      {"220 mail.example ESMTP\r\n\r\n", "the response is not HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "does not keep the connection open"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n", "sent more than the response"},
  };
  for (const auto& [text, failure] : cases) {
    with_server(saying(text), [&](const target& at) -> task<> {
      crowd all(at, {.at_a_time = 1});
      EXPECT_EQ((co_await all.open(1)).first, failure) << text;
    });
  }
}

TEST(crowd, passes_over_an_interim_answer) {
  with_server(saying("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
              [](const target& at) -> task<> {
                crowd all(at, {});
                EXPECT_EQ((co_await all.open(1)).succeeded, 1U);
              });
}

TEST(crowd, waits_no_longer_than_it_is_told_to) {
  auto silent = [](net::listener listening, scope& /*all*/) -> task<> {
    auto client = co_await listening.accept();
    co_await sleep_for(1h);
  };
  with_server(silent, [](const target& at) -> task<> {
    crowd all(at, {.time_limit = 20ms});
    EXPECT_EQ((co_await all.open(1)).first, "no response in time");
  });
}

TEST(crowd, says_that_nobody_listens) {
  auto body = []() -> task<> {
    target nobody = target_at(net::endpoint::loopback(1), "/").value();
    crowd all(nobody, {.at_a_time = 2});
    EXPECT_EQ((co_await all.open(100)).first, "cannot connect: Connection refused");
  };
  run(body());
}

TEST(closed_loop, counts_each_answer_once_and_keeps_to_its_rate) {
  int requests = 0;
  with_server(answering(200, requests), [](const target& at) -> task<> {
    const auto paced = co_await drive(at, {.connections = 5, .time = 200ms, .rate = 100});
    EXPECT_EQ(paced.opened.succeeded, 5U);
    EXPECT_EQ(paced.exchanges.failed, 0U) << paced.exchanges.first;
    EXPECT_EQ(paced.answered->count(), 20U);
    const auto free = co_await drive(at, {.connections = 5, .time = 50ms});
    EXPECT_EQ(free.exchanges.failed, 0U) << free.exchanges.first;
    EXPECT_EQ(free.answered->count(), free.exchanges.succeeded);
  });
}

TEST(closed_loop, ends_when_it_cannot_connect) {
  auto body = []() -> task<> {
    target nobody = target_at(net::endpoint::loopback(1), "/").value();
    const auto found = co_await drive(nobody, {.connections = 5, .time = 1h});
    EXPECT_EQ(found.opened.failed, 1U);
    EXPECT_EQ(found.answered->count(), 0U);
  };
  run(body());
}

}  // namespace
}  // namespace tare::load
