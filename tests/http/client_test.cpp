#include "http/client/url.hpp"
#include "http/loopback.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::client;
using tare::http::client_request;
using tare::http::errc;
using tare::http::request;
using tare::http::response;
using tare::http::server;
using tare::test::echo;

std::string url_of(std::uint16_t port, std::string_view path = "/") {
  return "http://127.0.0.1:" + std::to_string(port) + std::string(path);
}

class http_client : public tare::test::http_test {
 protected:
  /// A server that responds to the bytes of each connection, up to an empty line, with the next of `answers`, and
  /// closes after the last one.
  static task<> answer_raw(tare::net::listener& listening, std::vector<std::string> answers) {
    auto connection = co_await listening.accept();
    if (!connection) co_return;
    std::string seen;
    for (const std::string& response : answers) {
      while (seen.find("\r\n\r\n") == std::string::npos) {
        auto got = co_await connection->read();
        if (!got || got->empty()) co_return;
        seen += tare::testing::text_of(got->bytes());
      }
      seen.erase(0, seen.find("\r\n\r\n") + 4);
      (void)co_await connection->write(tare::testing::bytes_of(response));
    }
  }
};

TEST_P(http_client, gets_and_posts_on_one_connection) {
  with_server(echo, {}, [](server& serving, std::uint16_t port) -> task<> {
    client asking;
    for (int i = 0; i < 20; ++i) {
      auto got = co_await asking.get(url_of(port, "/?a=b#fragment"));
      EXPECT_TRUE(got) << got.error().message();
      if (!got) co_return;
      EXPECT_EQ(got->status(), 200U);
      EXPECT_EQ(got->length(), 0U);
      EXPECT_EQ(co_await got->read_all(), "");
      auto posted = co_await asking.post(url_of(port), "text/plain", "body " + std::to_string(i));
      EXPECT_EQ(posted->fields().find("content-type"), "text/plain");
      EXPECT_EQ(co_await posted->read_all(), "body " + std::to_string(i));
    }
    EXPECT_EQ(serving.connections(), 1U);
    EXPECT_EQ(serving.requests(), 40U);
    EXPECT_EQ(asking.idle_connections(), 1U);
  });
}

TEST_P(http_client, streams_both_ways) {
  auto forward = [](request& request, response& response) -> task<> {
    request.body().limit(UINT64_MAX);
    for (;;) {
      auto piece = co_await request.body().read();
      if (!piece) co_return;
      if (piece->empty()) break;
      const std::string_view text(reinterpret_cast<const char*>(piece->data()), piece->size());
      if (!co_await response.write(text)) co_return;
    }
  };
  with_server(forward, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    client asking;
    constexpr int pieces = 50;
    int given = 0;
    std::string piece;
    client_request upload{.method = "PUT", .url = url_of(port)};
    upload.stream = [&]() -> task<std::string_view> {
      piece = given++ < pieces ? std::string(1000, static_cast<char>('a' + given % 26)) : std::string();
      co_return piece;
    };
    auto got = co_await asking.send(std::move(upload));
    EXPECT_TRUE(got) << got.error().message();
    if (!got) co_return;
    EXPECT_EQ(got->length(), std::nullopt);
    std::size_t received = 0;
    for (;;) {
      auto part = co_await got->read();
      EXPECT_TRUE(part);
      if (!part || part->empty()) break;
      received += part->size();
    }
    EXPECT_EQ(received, 50'000U);
    EXPECT_EQ(asking.idle_connections(), 1U);
  });
}

TEST_P(http_client, caps_the_connections_to_a_host) {
  int at_once = 0;
  int most = 0;
  auto slow = [&](request& /*request*/, response& response) -> task<> {
    most = std::max(most, ++at_once);
    co_await tare::sleep_for(10ms);
    --at_once;
    (void)co_await response.send("text/plain", "ok");
  };
  with_server(slow, {}, [&](server& serving, std::uint16_t port) -> task<> {
    client asking({.max_connections_per_host = 3});
    auto ask = [&]() -> task<> {
      auto got = co_await asking.get(url_of(port));
      EXPECT_EQ(co_await got->read_all(), "ok");
    };
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 30; ++i) s.spawn(ask());
      co_return;
    });
    EXPECT_EQ(most, 3);
    EXPECT_EQ(serving.connections(), 3U);
    EXPECT_EQ(asking.idle_connections(), 3U);
  });
}

TEST_P(http_client, a_response_that_is_dropped_takes_its_connection_along) {
  auto large = [](request& /*request*/, response& response) -> task<> {
    (void)co_await response.send("text/plain", std::string(100'000, 'x'));
  };
  with_server(large, {}, [](server& serving, std::uint16_t port) -> task<> {
    client asking({.max_connections_per_host = 1});
    for (int i = 0; i < 5; ++i) {
      auto got = co_await asking.get(url_of(port));
      EXPECT_EQ((co_await got->read())->empty(), false);
    }
    EXPECT_EQ(asking.idle_connections(), 0U);
    while (serving.connections() != 0) co_await tare::sleep_for(1ms);
  });
}

TEST_P(http_client, a_kept_connection_that_was_closed_is_replaced) {
  with_server(echo, {.idle_timeout = 50ms}, [](server& serving, std::uint16_t port) -> task<> {
    client asking;
    EXPECT_TRUE(co_await asking.get(url_of(port)));
    EXPECT_EQ(asking.idle_connections(), 1U);
    while (serving.connections() != 0) co_await tare::sleep_for(5ms);
    EXPECT_TRUE(co_await asking.get(url_of(port)));
    EXPECT_TRUE(co_await asking.post(url_of(port), "text/plain", "x"));
  });
}

TEST_P(http_client, passes_over_interim_responses_and_sees_what_is_cut_off) {
  auto body = []() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    const std::uint16_t port = listening->local()->port();
    const auto ask = [&](std::string only_answer) -> task<std::string> {
      std::vector<std::string> answers;
      answers.push_back(std::move(only_answer));
      std::string seen;
      auto use = [&]() -> task<> {
        client asking;
        auto got = co_await asking.get(url_of(port));
        if (!got) {
          seen = got.error().message();
          co_return;
        }
        auto text = co_await got->read_all();
        seen = std::to_string(got->status()) + " " + (text ? *text : text.error().message());
      };
      co_await tare::when_all(answer_raw(*listening, std::move(answers)), use());
      co_return seen;
    };
    const std::string cut_off = make_error_code(errc::truncated).message();
    EXPECT_EQ(co_await ask("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
              "200 ok");
    EXPECT_EQ(co_await ask("HTTP/1.1 200 OK\r\n\r\nto the end"), "200 to the end");
    EXPECT_EQ(co_await ask("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nto the end"), "200 " + cut_off);
    EXPECT_EQ(co_await ask("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"), "200 " + cut_off);
    EXPECT_EQ(co_await ask("HTTP/1.1 20"), cut_off);
    EXPECT_EQ(co_await ask("SSH-2.0-OpenSSH\r\n"), make_error_code(errc::malformed).message());
  };
  run(body());
}

TEST_P(http_client, limits_the_time_of_a_server) {
  auto silent = [](request& /*request*/, response& response) -> task<> {
    (void)co_await response.start(10);
    co_await tare::sleep_for(1h);
  };
  with_server(silent, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    client asking({.read_timeout = 100ms});
    auto got = co_await asking.get(url_of(port));
    EXPECT_TRUE(got);
    if (!got) co_return;
    auto text = co_await got->read_all();
    EXPECT_FALSE(text);
    EXPECT_EQ(text.error(), errc::too_slow);
  });
}

TEST_P(http_client, limits_what_it_reads) {
  auto large = [](request& request, response& response) -> task<> {
    if (request.path() == "/head") response.set("x", std::string(5000, 'x'));
    (void)co_await response.send("text/plain", std::string(5000, 'x'));
  };
  with_server(large, {}, [](server& /*serving*/, std::uint16_t port) -> task<> {
    client asking({.max_head_bytes = 1000, .max_body_bytes = 1000});
    EXPECT_EQ((co_await asking.get(url_of(port, "/head"))).error(), errc::head_too_large);
    auto got = co_await asking.get(url_of(port));
    EXPECT_EQ((co_await got->read_all()).error(), errc::body_too_large);
  });
}

TEST_P(http_client, says_what_it_cannot_do) {
  auto body = []() -> task<> {
    client asking;
    EXPECT_EQ((co_await asking.get("ftp://a/")).error(), errc::bad_url);
    // No one listens on the port of a closed listener.
    std::uint16_t port = 0;
    {
      auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0));
      port = listening->local()->port();
    }
    EXPECT_EQ((co_await asking.get(url_of(port))).error(), std::errc::connection_refused);
    bool refused = false;
    const tare::http::client_request wrong{.method = "G T", .url = url_of(port)};
    try {
      (void)co_await asking.send(wrong);
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  };
  run(body());
}

TEST(url, is_taken_apart) {
  using tare::http::detail::parse_url;
  const auto whole = parse_url("HTTP://example.com:8080/a/b?c=d#e");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->host, "example.com");
  EXPECT_EQ(whole->port, "8080");
  EXPECT_EQ(whole->host_field, "example.com:8080");
  EXPECT_EQ(whole->target, "/a/b?c=d");
  EXPECT_EQ(parse_url("http://a")->target, "/");
  EXPECT_EQ(parse_url("http://a?b")->target, "/?b");
  EXPECT_EQ(parse_url("http://[::1]:80/")->host, "::1");
  EXPECT_EQ(parse_url("http://[fe80::1%eth0]:80/")->host, "fe80::1%eth0");
  EXPECT_EQ(parse_url("http://[fe80::1%eth0]:80/")->host_field, "[fe80::1]:80");
  for (const char* bad :
       {"", "a", "http:/a", "http://", "http:///a", "http://:80/", "http://a:/", "http://a:b/", "http://a:65536/",
        "http://a b/", "http://a/ b", "http://u@a/", "http://[::1/", "http://[::1]x/", "http://a/\r\nx: y"}) {
    EXPECT_FALSE(parse_url(bad)) << bad;
  }
}

TARE_ON_ALL_REACTORS(http_client);

}  // namespace
