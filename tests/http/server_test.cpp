#include "http/loopback.hpp"
#include "http/request_cases.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

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
using testing::Not;
using testing::StartsWith;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class http_server : public tare::test::http_test {};

// Runs every case of requests.toml against a server: a valid request gets 200 with its body, an invalid one gets its
// status and the connection is closed.
TEST_P(http_server, answers_every_case_of_the_table) {
  with_server(echo, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const auto& given : tare::test::request_cases()) {
      SCOPED_TRACE(given.name);
      auto client = co_await raw_client::connect(port);
      co_await client.send(given.bytes);
      for (const std::string& body : given.bodies) {
        const auto got = co_await client.read_response();
        EXPECT_EQ(got.status, 200U);
        EXPECT_EQ(got.body, body);
      }
      if (!given.status) continue;
      const auto refused = co_await client.read_response();
      EXPECT_EQ(refused.status, *given.status);
      EXPECT_THAT(refused.head, HasSubstr("connection: close\r\n"));
      EXPECT_EQ(co_await client.read_all(), "") << "bytes after the refusal, or the connection is open";
    }
  });
}

TEST_P(http_server, keeps_the_connection) {
  with_server(echo, {}, [](server& serving, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    for (int i = 0; i < 100; ++i) {
      const std::string body = std::to_string(i);
      const auto got = co_await client.ask(
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
      EXPECT_EQ(got.status, 200U);
      EXPECT_EQ(got.body, body);
      EXPECT_THAT(got.head, Not(HasSubstr("connection:")));
      EXPECT_THAT(got.head, HasSubstr("date: "));
    }
    EXPECT_EQ(serving.connections(), 1U);
    EXPECT_EQ(serving.requests(), 100U);
  });
}

TEST_P(http_server, closes_when_asked_to) {
  with_server(echo, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const std::string_view request :
         {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
      auto client = co_await raw_client::connect(port);
      co_await client.send(request);
      const std::string got = co_await client.read_all();
      EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
      EXPECT_THAT(got, HasSubstr("connection: close\r\n"));
    }
    auto client = co_await raw_client::connect(port);
    const auto kept = co_await client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_THAT(kept.head, HasSubstr("connection: keep-alive\r\n"));
    EXPECT_EQ((co_await client.ask(get)).status, 200U);
  });
}

TEST_P(http_server, answers_pipelined_requests_in_their_order) {
  auto slow_first = [](request& request, response& response) -> task<> {
    if (request.path() == "/0") co_await tare::sleep_for(20ms);
    (void)co_await response.send("text/plain", request.path());
  };
  with_server(slow_first, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    std::string all;
    constexpr int count = 500;  // more than fit in a buffer
    for (int i = 0; i < count; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    co_await client.send(all);
    for (int i = 0; i < count; ++i) EXPECT_EQ((co_await client.read_response()).body, "/" + std::to_string(i));
  });
}

TEST_P(http_server, takes_requests_byte_by_byte) {
  with_server(echo, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    for (const char c : std::string_view("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                         "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: u\r\n\r\n")) {
      co_await client.send(std::string_view(&c, 1));
      co_await tare::yield();
    }
    EXPECT_EQ((co_await client.read_response()).body, "abcde");
  });
}

TEST_P(http_server, sends_no_body_to_head_nor_with_204) {
  auto answer_all = [](request& request, response& response) -> task<> {
    if (request.path() == "/none") response.status(204);
    if (request.path() == "/stream") {
      (void)co_await response.write("abc");
      (void)co_await response.finish();
    } else {
      (void)co_await response.send("text/plain", "hello");
    }
  };
  with_server(answer_all, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT((co_await client.read_response(true)).head, HasSubstr("content-length: 5\r\n"));
    co_await client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT((co_await client.read_response(true)).head, HasSubstr("transfer-encoding: chunked\r\n"));
    const auto none = co_await client.ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(none.status, 204U);
    EXPECT_THAT(none.head, Not(HasSubstr("content-length")));
    EXPECT_EQ((co_await client.ask(get)).body, "hello");
  });
}

TEST_P(http_server, refuses_what_is_too_large) {
  const server_options small{.max_head_bytes = 1000, .max_fields = 5, .max_body_bytes = 10};
  with_server(echo, small, [](server& /*serving*/, std::uint16_t port) -> task<> {
    const auto status = [&](std::string bytes) -> task<unsigned> {
      auto client = co_await raw_client::connect(port);
      co_await client.send(bytes);
      const auto got = co_await client.read_response();
      EXPECT_EQ(co_await client.read_all(), "");
      co_return got.status;
    };
    EXPECT_EQ(co_await status("GET /" + std::string(2000, 'a')), 414U);
    EXPECT_EQ(co_await status("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'a')), 431U);
    EXPECT_EQ(co_await status("GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n"), 431U);
    EXPECT_EQ(co_await status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a"), 413U);
    EXPECT_EQ(co_await status(
                  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n"),
              413U);
    // A large body that arrives although it is refused does not destroy the response.
    EXPECT_EQ(
        co_await status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x')),
        413U);
  });
}

TEST_P(http_server, a_cut_off_request_reaches_no_handler_and_a_cut_off_body_is_an_error) {
  int called = 0;
  std::error_code error;
  auto note = [&](request& request, response& /*response*/) -> task<> {
    ++called;
    auto body = co_await request.body().read_all();
    if (!body) error = body.error();
  };
  with_server(note, {}, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    {
      auto client = co_await raw_client::connect(port);
      co_await client.send("GET / HTTP/1.1\r\nHost: a\r\n");
      EXPECT_TRUE(client.stream().shutdown_write());
      EXPECT_EQ(co_await client.read_all(), "");
      EXPECT_EQ(called, 0);
    }
    auto client = co_await raw_client::connect(port);
    co_await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc");
    EXPECT_TRUE(client.stream().shutdown_write());
    EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_EQ(called, 1);
    EXPECT_EQ(error, tare::http::errc::truncated);
  });
}

TEST_P(http_server, what_a_handler_throws_is_a_500) {
  std::vector<std::string> reported;
  server_options options;
  options.on_error = [&](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
      reported.emplace_back(thrown.what());
    }
  };
  auto fails = [](request& request, response& response) -> task<> {
    if (request.path() == "/late") (void)co_await response.write("half");
    throw std::runtime_error("broken");
    co_return;
  };
  with_server(fails, options, [&](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    co_await client.send(get);
    const std::string got = co_await client.read_all();
    EXPECT_THAT(got, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
    EXPECT_THAT(got, Not(HasSubstr("broken")));
    // After part of the response has been sent, the body visibly ends too early.
    auto late = co_await raw_client::connect(port);
    co_await late.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(co_await late.read_all(), EndsWith("4\r\nhalf\r\n"));
    EXPECT_EQ(reported, (std::vector<std::string>{"broken", "broken"}));
  });
}

TEST_P(http_server, what_a_handler_throws_is_printed_unless_somebody_wants_it) {
  auto fails = [](request& request, response& response) -> task<> {
    if (request.path() == "/number") throw 7;
    if (request.path() == "/cancelled") throw tare::cancelled();
    if (request.path() == "/field") response.set("content-length", "1");
    throw std::runtime_error("broken");
    co_return;
  };
  const auto printed_for = [&](const server_options& options, std::string_view path) {
    ::testing::internal::CaptureStderr();
    with_server(fails, options, [&](server& /*serving*/, std::uint16_t port) -> task<> {
      auto client = co_await raw_client::connect(port);
      co_await client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      EXPECT_THAT(co_await client.read_all(), StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
    });
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(printed_for({}, "/"),
              HasSubstr("tare: a handler of an HTTP server ended by an exception: std::runtime_error: broken"));
  EXPECT_THAT(printed_for({}, "/field"), HasSubstr("a handler of an HTTP server ended by an exception"));
  EXPECT_THAT(printed_for({}, "/number"), HasSubstr("a handler of an HTTP server ended by an exception"));
  EXPECT_EQ(printed_for({}, "/cancelled"), "");
  server_options silent;
  silent.on_error = [](const std::exception_ptr& /*error*/) {};
  EXPECT_EQ(printed_for(silent, "/"), "");
  // If on_error throws, that is reported too, and the server continues.
  server_options throwing;
  throwing.on_error = [](const std::exception_ptr& error) { std::rethrow_exception(error); };
  EXPECT_THAT(printed_for(throwing, "/"), HasSubstr("on_error ended by an exception: std::runtime_error: broken"));
}

TEST_P(http_server, refuses_to_send_what_would_be_another_response) {
  auto split = [](request& request, response& response) -> task<> {
    response.set("location", *request.query_value("to"));
    (void)co_await response.status(302).send();
  };
  with_server(split, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    const auto good = co_await client.ask("GET /?to=%2Fa+b HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(good.status, 302U);
    EXPECT_THAT(good.head, HasSubstr("location: /a b\r\n"));
    const auto bad = co_await client.ask("GET /?to=a%0D%0AX:y HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(bad.status, 500U);
    EXPECT_THAT(bad.head, Not(HasSubstr("X:y")));
  });
}

// Timeouts in real time: a tenth of a second each, and at most a quarter of a second late.

TEST_P(http_server, serves_a_single_stream_of_any_kind) {
  auto body = []() -> task<> {
    auto ends = tare::net::stream::pair();
    server serving(echo);
    auto use = [](tare::net::stream mine) -> task<> {
      (void)co_await mine.write(std::as_bytes(std::span(get)));
      auto got = co_await mine.read();
      EXPECT_THAT(std::string(reinterpret_cast<const char*>(got->bytes().data()), got->size()),
                  StartsWith("HTTP/1.1 200 OK\r\n"));
    };
    co_await tare::when_all(serving.serve_stream(std::move(ends->first)), use(std::move(ends->second)));
  };
  run(body());
}

TEST_P(http_server, serves_on_two_shards_with_one_port) {
  tare::runtime rt(options(2));
  auto all = [&]() -> task<> {
    auto first = tare::net::listener::bind(tare::net::endpoint::loopback(0), {.reuse_port = true});
    const std::uint16_t port = first->local()->port();
    std::array<std::uint64_t, 2> answered{};
    tare::event ready;
    tare::event done;
    auto serve = [&](tare::net::listener listening, std::size_t mine) -> task<> {
      server serving(echo);
      auto stop = [&]() -> task<> {
        co_await done.wait();
        serving.stop();
      };
      co_await tare::when_all(serving.serve(std::move(listening)), stop());
      answered.at(mine) = serving.requests();
    };
    auto second = [&]() -> task<> {
      auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(port), {.reuse_port = true});
      EXPECT_TRUE(listening);
      ready.set();
      if (listening) co_await serve(std::move(*listening), 1);
    };
    auto use = [&]() -> task<> {
      co_await ready.wait();
      for (int i = 0; i < 64; ++i) {
        auto client = co_await raw_client::connect(port);
        EXPECT_EQ((co_await client.ask(get)).status, 200U);
      }
      done.set();
    };
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn_on(1, second());
      s.spawn(serve(std::move(*first), 0));
      s.spawn(use());
      co_return;
    });
    EXPECT_EQ(answered[0] + answered[1], 64U);
    EXPECT_GT(answered[0], 0U);
    EXPECT_GT(answered[1], 0U);
  };
  rt.run(all());
}

TARE_ON_ALL_REACTORS(http_server);

}  // namespace
