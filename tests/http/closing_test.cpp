// Every way in which the server ends a TLS connection: with close_notify, unless a body was truncated.

#include "http/loopback.hpp"
#include "support/identity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::http::server_options;
namespace tls = tare::net::tls;

task<> answer_in_many_ways(request& request, response& response) {
  if (request.path() == "/stream" || request.path() == "/cut") {
    (void)co_await response.write("half");
    if (request.path() == "/cut") throw std::runtime_error("cut off");
    (void)co_await response.finish();
    co_return;
  }
  if (request.path() == "/slow") co_await tare::sleep_for(1h);
  (void)co_await response.send("text/plain", "hello");
}

struct ending {
  std::string received;
  bool clean = false;
};

class http_closing : public tare::test::http_test {
 protected:
  static void with_tls(server_options options, const std::function<task<>(server&, std::uint16_t)>& body) {
    const auto& ours = support::identity::shared();
    http_test::with_server(answer_in_many_ways, std::move(options), body,
                           tls::context::server({.certificate = ours.certificate, .key = ours.key}).value());
  }

  static task<tls::stream> connect(std::uint16_t port) {
    const auto& ours = support::identity::shared();
    auto below = co_await tare::net::connect(tare::net::endpoint::loopback(port));
    if (!below) throw std::runtime_error("connect");
    below->expires_after(10s);
    auto with = tls::context::client({.authorities = ours.certificate}).value();
    auto made = co_await tls::stream::connect(std::move(*below), with, "localhost");
    if (!made) throw std::runtime_error("handshake: " + made.error().message());
    co_return std::move(*made);
  }

  static task<ending> read_to_the_end(tls::stream& from) {
    ending seen;
    for (;;) {
      auto got = co_await from.read();
      if (!got) co_return seen;
      if (got->empty()) {
        seen.clean = true;
        co_return seen;
      }
      seen.received.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
    }
  }

  static task<ending> ask(std::uint16_t port, std::string_view text) {
    auto client = co_await connect(port);
    (void)co_await client.write(std::as_bytes(std::span(text)));
    co_return co_await read_to_the_end(client);
  }
};

TEST_P(http_closing, says_so_after_a_complete_response) {
  with_tls({}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const std::string_view text : {
             "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
             "GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
             "GET / HTTP/1.0\r\n\r\n",
             "GET /stream HTTP/1.0\r\n\r\n",
             "HEAD / HTTP/1.0\r\n\r\n",
             "nonsense\r\n\r\n",
             "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nab",
             "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
             "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
         }) {
      const ending seen = co_await ask(port, text);
      EXPECT_TRUE(seen.clean) << text;
      EXPECT_THAT(seen.received, testing::StartsWith("HTTP/1.1 ")) << text;
    }
  });
}

TEST_P(http_closing, leaves_a_body_that_was_cut_off_without_an_end) {
  with_tls({}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const std::string_view text : {"GET /cut HTTP/1.0\r\n\r\n", "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n"}) {
      const ending seen = co_await ask(port, text);
      EXPECT_FALSE(seen.clean) << text;
    }
  });
}

TEST_P(http_closing, answers_the_end_of_an_idle_client) {
  with_tls({}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    auto client = co_await connect(port);
    constexpr std::string_view text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)co_await client.write(std::as_bytes(std::span(text)));
    auto got = co_await client.read();
    EXPECT_TRUE(got && !got->empty());
    EXPECT_TRUE(client.shutdown_write());
    const ending seen = co_await read_to_the_end(client);
    EXPECT_TRUE(seen.clean);
  });
}

TEST_P(http_closing, says_so_when_a_client_is_idle_for_too_long) {
  with_tls({.head_timeout = 300ms, .idle_timeout = 100ms}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    for (const std::string_view text : {"", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HT"}) {
      const ending seen = co_await ask(port, text);
      EXPECT_TRUE(seen.clean) << text;
    }
  });
}

TEST_P(http_closing, says_so_when_the_request_takes_too_long) {
  with_tls({.request_timeout = 100ms}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    const ending seen = co_await ask(port, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(seen.clean);
    EXPECT_THAT(seen.received, testing::StartsWith("HTTP/1.1 503 "));
  });
}

TEST_P(http_closing, says_so_when_the_server_drains) {
  with_tls({.drain_timeout = 100ms}, [](server& serving, std::uint16_t port) -> task<> {
    auto idle = co_await connect(port);
    auto busy = co_await connect(port);
    constexpr std::string_view text = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)co_await busy.write(std::as_bytes(std::span(text)));
    while (serving.active_requests() == 0) co_await tare::sleep_for(1ms);
    serving.stop();
    const ending first = co_await read_to_the_end(idle);
    EXPECT_TRUE(first.clean);
    const ending second = co_await read_to_the_end(busy);
    EXPECT_TRUE(second.clean);
    EXPECT_THAT(second.received, testing::StartsWith("HTTP/1.1 503 "));
  });
}

TARE_ON_ALL_REACTORS(http_closing);

}  // namespace
