// What server_options::on_response is logged, however a request ends.

#include "http/access_log.hpp"

#include "http/loopback.hpp"
#include "http/websocket_frames.hpp"
#include "support/sanitizers.hpp"

#include <tare/http/test.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::access_entry;
using tare::http::errc;
using tare::http::request;
using tare::http::response;
using tare::http::router;
using tare::http::server;
using tare::http::server_options;
using tare::http::websocket;
using tare::test::get;
using tare::test::handshake_for;
using tare::test::kept_log;
using tare::test::raw_client;
using tare::test::text_of;
using testing::HasSubstr;
using testing::StartsWith;

class http_access_log : public tare::test::http_test {};

TEST_P(http_access_log, tells_who_asked_for_what_and_what_was_sent) {
  kept_log seen;
  auto reply = [](request& request, response& to) -> task<> {
    if (request.path() == "/discards") request.discard();
    co_await tare::sleep_for(10ms);
    (void)co_await to.send("text/plain", "hello");
  };
  with_server(reply, seen.options(), [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    const std::string mine = client.stream().local()->to_string();
    co_await client.send(get("/discards?a=b") + get("/kept"));  // pipelined
    for (const char* target : {"/discards?a=b", "/kept"}) {
      const auto got = co_await client.read_response();
      auto logged = co_await seen.take(1);
      EXPECT_EQ(logged[0].method, "GET");
      EXPECT_EQ(logged[0].target, target);
      EXPECT_EQ(logged[0].peer, mine);
      EXPECT_EQ(logged[0].status, 200U);
      EXPECT_EQ(logged[0].bytes, got.head.size() + got.body.size());
      EXPECT_GE(logged[0].duration, 10ms);
      EXPECT_LT(logged[0].duration, 10s);
      EXPECT_EQ(logged[0].error, std::error_code());
      EXPECT_EQ(logged[0].thrown, "");
    }
    co_await client.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto head = co_await client.read_response(true);
    auto logged = co_await seen.take(1);
    EXPECT_EQ(logged[0].method, "HEAD");
    EXPECT_EQ(logged[0].bytes, head.head.size());
  });
}

TEST_P(http_access_log, counts_a_response_that_takes_many_writes) {
  kept_log seen;
  auto reply = [](request& request, response& to) -> task<> {
    const std::string body(3'000'000, 'x');
    if (request.path() == "/whole") {
      (void)co_await to.send("text/plain", body);
      co_return;
    }
    for (int i = 0; i < 3; ++i) (void)co_await to.write(body);
  };
  with_server(reply, seen.options(), [&](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const char* target : {"/whole", "/pieces"}) {
      auto client = co_await raw_client::connect(port);
      co_await client.send(get(target, "Connection: close\r\n"));
      const std::string got = co_await client.read_all();
      auto logged = co_await seen.take(1);
      EXPECT_EQ(logged[0].bytes, got.size()) << target;
      EXPECT_EQ(logged[0].error, std::error_code());
    }
  });
}

TEST_P(http_access_log, has_what_the_server_refuses) {
  kept_log seen;
  router routes;
  routes.post("/", tare::test::echo);
  const server_options limits{.max_head_bytes = 1000, .max_body_bytes = 10, .head_timeout = 200ms};
  with_server(routes, seen.options(limits), [&](server& /*serving*/, std::uint16_t port) -> task<> {
    struct refused {
      std::string sent;
      unsigned status;
      std::string method;
      std::string target;
    };
    const std::vector<refused> all{
        {"nonsense\r\n\r\n", 501, "", ""},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "", ""},
        {get("/" + std::string(2000, 'a')), 414, "", ""},
        {get("/", "X: " + std::string(2000, 'a') + "\r\n"), 431, "", ""},
        {"GET / HT", 408, "", ""},
        {get("/missing", "Connection: close\r\n"), 404, "GET", "/missing"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a", 413, "POST", "/"},
    };
    for (const refused& each : all) {
      auto client = co_await raw_client::connect(port);
      const std::string mine = client.stream().local()->to_string();
      co_await client.send(each.sent);
      const std::string got = co_await client.read_all();
      auto logged = co_await seen.take(1);
      EXPECT_EQ(logged[0].status, each.status);
      EXPECT_EQ(logged[0].method, each.method) << each.status;
      EXPECT_EQ(logged[0].target, each.target) << each.status;
      EXPECT_EQ(logged[0].peer, mine) << each.status;
      EXPECT_EQ(logged[0].bytes, got.size()) << each.status;
      EXPECT_EQ(logged[0].error, std::error_code()) << each.status;
    }
    // Without a request, there is nothing to report.
    for (const char* sent : {"", "GET / HTTP/1.1\r\nHost: a\r\n"}) {
      auto client = co_await raw_client::connect(port);
      co_await client.send(sent);
      EXPECT_TRUE(client.stream().shutdown_write());
      EXPECT_EQ(co_await client.read_all(), "");
    }
    co_await tare::sleep_for(20ms);
    EXPECT_EQ(seen.entries.size(), 0U);
  });
}

TEST_P(http_access_log, has_why_a_response_is_incomplete_or_missing) {
  kept_log seen;
  auto reply = [](request& request, response& to) -> task<> {
    const std::string path(request.path());
    if (path == "/throws") throw std::runtime_error("broken");
    if (path == "/cancels") throw tare::cancelled();
    if (path == "/sends-and-throws") {
      (void)co_await to.send("text/plain", "done");
      throw std::runtime_error("broken");
    }
    if (path == "/wrong-length") {
      (void)co_await to.start(10);
      co_return;
    }
    if (path == "/too-long") {
      (void)co_await to.start(1);
      (void)co_await to.write("ab");
      co_return;
    }
    (void)co_await to.write("half");
    if (path == "/half") throw std::runtime_error("broken");
    co_await tare::sleep_for(1h);
  };
  struct ending {
    const char* target;
    unsigned status;
    std::error_code error;
    const char* thrown;
  };
  const std::vector<ending> all{
      {"/throws", 500, {}, "broken"},
      {"/cancels", 500, {}, "cancelled"},
      {"/sends-and-throws", 200, {}, "broken"},
      {"/wrong-length", 200, errc::wrong_length, ""},
      {"/too-long", 200, errc::wrong_length, ""},
      {"/half", 200, errc::truncated, "broken"},
      {"/sleeps", 200, std::make_error_code(std::errc::timed_out), ""},
  };
  testing::internal::CaptureStderr();
  with_server(reply, seen.options({.request_timeout = 150ms}), [&](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const ending& each : all) {
      auto client = co_await raw_client::connect(port);
      co_await client.send(get(each.target));
      const std::string got = co_await client.read_all();
      auto logged = co_await seen.take(1);
      EXPECT_EQ(logged[0].target, each.target);
      EXPECT_EQ(logged[0].status, each.status) << each.target;
      EXPECT_EQ(logged[0].error, each.error) << each.target << logged[0].error.message();
      EXPECT_EQ(logged[0].thrown, each.thrown) << each.target;
      EXPECT_EQ(logged[0].bytes, got.size()) << each.target;
    }
  });
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "exceptions are in the log instead";
}

TEST_P(http_access_log, has_requests_whose_clients_are_gone) {
  kept_log seen;
  auto reply = [](request& request, response& to) -> task<> {
    if (request.path() == "/waits") co_await tare::sleep_for(1h);
    (void)co_await to.send("text/plain", std::string(20'000'000, 'x'));
  };
  with_server(reply, seen.options({.write_timeout = 200ms}), [&](server& serving, std::uint16_t port) -> task<> {
    std::string mine;
    {
      auto client = co_await raw_client::connect(port);
      mine = client.stream().local()->to_string();
      co_await client.send(get("/waits"));
      while (serving.active_requests() == 0) co_await tare::sleep_for(5ms);
    }
    auto left = co_await seen.take(1);
    EXPECT_EQ(left[0].target, "/waits");
    EXPECT_EQ(left[0].peer, mine) << "although the system does not know it any more";
    EXPECT_EQ(left[0].status, 0U);
    EXPECT_EQ(left[0].bytes, 0U);
    EXPECT_EQ(left[0].error, std::errc::connection_aborted);
    EXPECT_EQ(left[0].thrown, "");

    auto silent = co_await raw_client::connect(port);
    co_await silent.send(get("/large"));
    auto gave_up = co_await seen.take(1);
    EXPECT_EQ(gave_up[0].status, 200U);
    EXPECT_GT(gave_up[0].bytes, 1000U);
    EXPECT_LT(gave_up[0].bytes, 20'000'000U);
    EXPECT_EQ(gave_up[0].error, std::errc::timed_out);
    EXPECT_GE(gave_up[0].duration, 200ms);
  });
}

TEST_P(http_access_log, has_requests_that_a_drain_ends) {
  kept_log seen;
  auto endless = [](request& /*request*/, response& /*to*/) -> task<> { co_await tare::sleep_for(1h); };
  with_server(endless, seen.options({.drain_timeout = 100ms}), [&](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(get("/"));
    while (serving.active_requests() == 0) co_await tare::sleep_for(1ms);
    serving.stop();
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 503 "));
    auto logged = co_await seen.take(1);
    EXPECT_EQ(logged[0].status, 503U);
    EXPECT_EQ(logged[0].error, std::error_code());
  });
}

TEST_P(http_access_log, has_lasting_connections_at_their_end) {
  kept_log seen;
  router routes;
  routes.websocket("/returns", [](websocket) -> task<> { co_await tare::sleep_for(50ms); });
  routes.websocket("/throws", [](websocket) -> task<> { throw std::runtime_error("lost"); });
  routes.events("/events", [](tare::http::event_stream out) -> task<> {
    (void)co_await out.send("a");
    co_await tare::sleep_for(1h);
  });
  routes.events("/fails", [](tare::http::event_stream) -> task<> { throw std::runtime_error("lost"); });
  routes.get("/accepts", [](request& request, response& to) -> task<> {
    auto socket = co_await websocket::accept(request, to);
    EXPECT_TRUE(socket);
    throw std::runtime_error("lost");
  });
  testing::internal::CaptureStderr();
  with_server(routes, seen.options(), [&](server& serving, std::uint16_t port) -> task<> {
    struct upgrade {
      std::string sent;
      unsigned status;
      std::error_code error;
      const char* thrown;
    };
    const std::vector<upgrade> all{
        {handshake_for("/returns"), 101, {}, ""},
        {handshake_for("/throws"), 101, {}, "lost"},
        {get("/fails"), 200, errc::truncated, "lost"},
        {handshake_for("/accepts"), 101, {}, "lost"},
        {get("/returns"), 400, {}, ""},
    };
    for (const upgrade& each : all) {
      auto client = co_await raw_client::connect(port);
      const std::string mine = client.stream().local()->to_string();
      co_await client.send(each.sent);
      const std::string head = co_await client.read_through("\r\n\r\n");
      auto logged = co_await seen.take(1);
      EXPECT_EQ(logged[0].method, "GET");
      EXPECT_THAT(each.sent, HasSubstr("GET " + logged[0].target + " "));
      EXPECT_EQ(logged[0].peer, mine) << each.sent;
      EXPECT_EQ(logged[0].status, each.status) << each.sent;
      EXPECT_EQ(logged[0].error, each.error) << each.sent;
      EXPECT_EQ(logged[0].thrown, each.thrown) << each.sent;
      EXPECT_TRUE(each.status == 400 || logged[0].bytes == head.size()) << each.sent;
      EXPECT_TRUE(logged[0].target != "/returns" || each.status == 400 || logged[0].duration >= 50ms) << each.sent;
    }
    for (const bool leaves : {true, false}) {  // otherwise the server stops
      auto client = co_await raw_client::connect(port);
      co_await client.send(get("/events"));
      (void)co_await client.read_through("data: a\n\n");
      co_await tare::sleep_for(10ms);
      EXPECT_EQ(seen.entries.size(), 0U) << "it has not ended";
      if (leaves) client.stream().close();
      if (!leaves) serving.stop();
      auto logged = co_await seen.take(1);
      EXPECT_EQ(logged[0].status, 200U);
      EXPECT_EQ(logged[0].target, "/events");
      EXPECT_EQ(logged[0].error, std::error_code());
      EXPECT_EQ(logged[0].thrown, "");
    }
  });
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST_P(http_access_log, may_throw) {
  server_options options;
  options.on_response = [](const access_entry& /*of*/) { throw std::runtime_error("disk full"); };
  testing::internal::CaptureStderr();
  with_server(tare::test::echo, options, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get("/"))).status, 200U);
    EXPECT_EQ((co_await client.ask(get("/"))).status, 200U);
  });
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("http::server_options::on_response ended by an exception: std::runtime_error: disk full"));
}

TEST_P(http_access_log, leaves_exceptions_to_on_error_too) {
  kept_log seen;
  std::string reported;
  server_options options = seen.options();
  options.on_error = [&](const std::exception_ptr& error) { reported = text_of(error); };
  auto fails = [](request& /*request*/, response& /*to*/) -> task<> {
    throw std::runtime_error("broken");
    co_return;
  };
  with_server(fails, options, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    EXPECT_EQ((co_await client.ask(get("/"))).status, 500U);
    EXPECT_EQ((co_await seen.take(1))[0].thrown, "broken");
  });
  EXPECT_EQ(reported, "broken");
}

TARE_ON_ALL_REACTORS(http_access_log);

TEST(http_access_log_memory, has_requests_for_which_there_was_no_room) {
  // What the process holds varies there, and with it the room.
  if (support::is_sanitized) {
    GTEST_SKIP() << "a sanitizer's memory counts toward the budget";
  }
  constexpr std::size_t limit = std::size_t{64} << 30U;
  kept_log seen;
  auto fill = []() -> std::vector<tare::memory_share> {
    std::vector<tare::memory_share> all;
    for (std::size_t bytes = limit; bytes >= 64; bytes /= 2) {
      while (auto share = tare::memory().try_admit(bytes)) all.push_back(std::move(share));
    }
    return all;
  };
  auto body = [&]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const std::uint16_t port = listening.local()->port();
    server serving(tare::test::echo, seen.options());
    auto use = [&]() -> task<> {
      auto client = co_await raw_client::connect(port);
      {
        const auto all = fill();
        EXPECT_EQ((co_await client.ask(get("/a"))).status, 503U);
        auto logged = co_await seen.take(1);
        EXPECT_EQ(logged[0].target, "/a");
        EXPECT_EQ(logged[0].status, 503U);
        EXPECT_EQ(logged[0].error, std::error_code());
        // The connection of a test accepts nothing at once, so it gets no response.
        const tare::http::test::request request{.target = "/b"};
        const auto refused = co_await tare::http::test::call(tare::test::echo, request, seen.options());
        EXPECT_EQ(refused.status, 0U);
        logged = co_await seen.take(1);
        EXPECT_EQ(logged[0].target, "/b");
        EXPECT_EQ(logged[0].status, 0U);
        EXPECT_EQ(logged[0].error, std::errc::not_enough_memory);
      }
      EXPECT_EQ((co_await client.ask(get("/c"))).status, 200U);
      EXPECT_EQ((co_await seen.take(1))[0].target, "/c");
      EXPECT_EQ(tare::memory().promised(), 0U);
      serving.stop();
    };
    co_await tare::when_all(serving.serve(std::move(listening)), use());
  };
  tare::runtime rt({.memory_limit = limit});
  rt.run(body());
}

}  // namespace
