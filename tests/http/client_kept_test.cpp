// What the HTTP client keeps of hosts and connections.

#include "http/client/connections.hpp"
#include "http/client/tokens.hpp"
#include "http/client_states.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace {

using namespace tare::test::client_states;
using tare::task;
using tare::test::scripted_peer;
using tare::test::scripted_server;

TEST_P(http_client_states, hosts_are_forgotten_with_their_last_connection) {
  using tare::http::detail::client_connections;
  with(
      false, [](scripted_peer& peer, int /*number*/) { return answer_all(peer, ok); },
      [](scripted_server& server) -> task<> {
        client_connections known({.per_host = 2, .idle = 2, .idle_timeout = 1h});
        for (int i = 0; i < 100; ++i) {
          tare::http::detail::url to;
          to.host = "host" + std::to_string(i);
          to.port = "80";
          auto host = known.host(to);
          EXPECT_EQ(known.host(to), host);
          auto over = co_await tare::net::connect(tare::net::endpoint::loopback(server.port()));
          known.keep(host, tare::http::detail::connection(std::move(*over)));
          EXPECT_TRUE(i % 2 == 0 || known.take(*host));
        }
        EXPECT_LE(known.idle(), 2U);
        EXPECT_LE(known.known_hosts(), 2U);
      });
}

TEST(http_tokens, of_one_list_in_another) {
  using tare::http::detail::is_among;
  EXPECT_TRUE(is_among("websocket", "websocket"));
  EXPECT_TRUE(is_among("WebSocket", "h2c , websocket"));
  EXPECT_TRUE(is_among("a,b", "b, a"));
  EXPECT_TRUE(is_among(", a", "a"));
  EXPECT_FALSE(is_among("a,c", "b, a"));
  EXPECT_FALSE(is_among("", "a"));
  EXPECT_FALSE(is_among(" , ", "a"));
  EXPECT_FALSE(is_among("a", ""));
  EXPECT_FALSE(is_among(std::nullopt, "a"));
  EXPECT_FALSE(is_among("a", std::nullopt));
}

}  // namespace
