#include "http/loopback.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::test::echo;
using tare::test::raw_client;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class http_server_body : public tare::test::http_test {};

TEST_P(http_server_body, streams_a_response) {
  auto count = [](request& request, response& response) -> task<> {
    if (request.query() == "counted") (void)co_await response.start(9);
    for (const char* piece : {"one", "two", "six"}) (void)co_await response.write(piece);
    (void)co_await response.finish();
  };
  with_server(count, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(get);
    const std::string chunked = co_await client.read_through("\r\n0\r\n\r\n");
    EXPECT_THAT(chunked, HasSubstr("transfer-encoding: chunked\r\n"));
    EXPECT_THAT(chunked, EndsWith("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n3\r\nsix\r\n0\r\n\r\n"));
    EXPECT_EQ((co_await client.ask("GET /?counted HTTP/1.1\r\nHost: a\r\n\r\n")).body, "onetwosix");
    co_await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string old = co_await client.read_all();  // ends with the connection
    EXPECT_THAT(old, HasSubstr("connection: close\r\n"));
    EXPECT_THAT(old, EndsWith("\r\n\r\nonetwosix"));
  });
}

TEST_P(http_server_body, holds_back_a_handler_whose_client_takes_nothing) {
  std::size_t written = 0;
  auto endless = [&](request& /*request*/, response& response) -> task<> {
    const std::string piece(64 << 10, 'x');
    for (int i = 0; i < 1024; ++i) {
      if (!co_await response.write(piece)) co_return;
      written += piece.size();
    }
  };
  with_server(endless, {}, [&](server& serving, std::uint16_t port) -> task<> {
    {
      auto client = co_await raw_client::connect(port);
      co_await client.send(get);
      co_await client.read_through("\r\n\r\n");
      std::size_t before = 1;
      while (written != before) {
        before = written;
        co_await tare::sleep_for(50ms);
      }
      EXPECT_LT(written, 32U << 20U);
      EXPECT_EQ(serving.active_requests(), 1U);
    }
    // The client has disconnected, so the write fails and the handler ends.
    while (serving.active_requests() != 0) co_await tare::sleep_for(5ms);
  });
}

TEST_P(http_server_body, holds_back_a_client_whose_body_nobody_reads) {
  tare::event go_on;
  std::size_t received = 0;
  auto late = [&](request& request, response& response) -> task<> {
    request.body().limit(UINT64_MAX);
    co_await go_on.wait();
    for (;;) {
      auto piece = co_await request.body().read();
      if (!piece || piece->empty()) break;
      received += piece->size();
    }
    (void)co_await response.send();
  };
  with_server(late, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    constexpr std::size_t total = 32U << 20U;
    auto client = co_await raw_client::connect(port);
    co_await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(total) + "\r\n\r\n");
    std::size_t sent = 0;
    bool stuck = false;
    auto push = [&]() -> task<> {
      const std::string piece(64 << 10, 'x');
      for (; sent < total; sent += piece.size()) co_await client.send(piece);
    };
    auto watch = [&]() -> task<> {
      std::size_t before = 1;
      while (sent != before) {
        before = sent;
        co_await tare::sleep_for(50ms);
      }
      stuck = sent < total;
      go_on.set();
    };
    co_await tare::when_all(push(), watch());
    EXPECT_TRUE(stuck);
    EXPECT_EQ((co_await client.read_response()).status, 200U);
    EXPECT_EQ(received, total);
  });
}

TEST_P(http_server_body, says_continue_when_the_body_is_wanted) {
  with_server(echo, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(co_await client.read_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ((co_await client.ask("ab")).body, "ab");
    EXPECT_EQ((co_await client.ask(get)).status, 200U);
  });
}

TEST_P(http_server_body, keeps_the_connection_when_the_body_did_not_wait_for_continue) {
  auto ignore = [](request& request, response& response) -> task<> {
    if (request.path() == "/read") (void)co_await request.body().read_all();
    (void)co_await response.send();
  };
  with_server(ignore, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const std::string_view path : {"/read", "/ignored"}) {
      auto client = co_await raw_client::connect(port);
      const auto got = co_await client.ask("POST " + std::string(path) +
                                           " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                                           "Expect: 100-continue\r\n\r\nab");
      EXPECT_EQ(got.status, 200U);
      EXPECT_THAT(got.head, Not(HasSubstr("connection:")));
      EXPECT_EQ((co_await client.ask(get)).status, 200U);
    }
  });
}

TEST_P(http_server_body, closes_when_the_body_was_not_wanted) {
  auto refuse = [](request& /*request*/, response& response) -> task<> { (void)co_await response.status(403).send(); };
  with_server(refuse, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    const std::string got = co_await client.read_all();
    EXPECT_THAT(got, StartsWith("HTTP/1.1 403 Forbidden\r\n"));
    EXPECT_THAT(got, HasSubstr("connection: close\r\n"));
  });
}

TEST_P(http_server_body, skips_a_body_that_nobody_reads) {
  auto ignore = [](request& /*request*/, response& response) -> task<> { (void)co_await response.send(); };
  with_server(ignore, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    const std::string body(100'000, 'x');
    co_await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + body + get);
    EXPECT_EQ((co_await client.read_response()).status, 200U);
    EXPECT_EQ((co_await client.read_response()).status, 200U);
  });
}

TARE_ON_ALL_REACTORS(http_server_body);

}  // namespace
