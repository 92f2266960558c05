// The client's side of each kind of connection, against servers that do it right and wrong, in one runtime.

#include "load/crowd.hpp"
#include "load/websocket_client.hpp"
#include "support/identity.hpp"

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
#include <system_error>
#include <utility>
#include <vector>

namespace tare::load {
namespace {

using namespace std::chrono_literals;
using measure::connection_kind;

constexpr std::string_view switched =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
constexpr std::string_view events_head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

/// Runs `body` with a target of the kind while `serve` accepts on a listener; ends both when `body` ends.
template <class Serve>
void with_server_of(connection_kind kind, Serve serve, const std::function<task<>(const target&)>& body) {
  auto all = [&]() -> task<> {
    auto listening = net::listener::bind(net::endpoint::loopback(0));
    if (!listening) throw std::system_error(listening.error());
    const target at = target_at(listening->local().value(), "/", false, kind).value();
    co_await with_scope([&](scope& s) -> task<> {
      s.spawn(serve(std::move(*listening)));
      co_await body(at);
      s.cancel();
    });
  };
  run(all());
}

auto serving(http::router routes) {
  return [routes = std::move(routes)](net::listener listening) -> task<> {
    http::server server(routes);
    (void)co_await server.serve(std::move(listening));
  };
}

/// Says the texts to one client, one for each time that it has sent something, and then sends the end of the stream.
auto saying_in_turn(std::vector<std::string> texts) {
  return [texts = std::move(texts)](net::listener listening) -> task<> {
    auto client = co_await listening.accept();
    if (!client) co_return;
    for (const auto& text : texts) {
      const auto request = co_await client->read();
      if (!request || request->empty()) co_return;
      (void)co_await client->write(std::as_bytes(std::span(text)));
    }
    (void)client->shutdown_write();
    // Otherwise what the client still sends would reset the connection.
    for (;;) {
      const auto more = co_await client->read();
      if (!more || more->empty()) co_return;
    }
  };
}

task<> echo_messages(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

std::string good_handshake() {
  return std::string(switched) + http::detail::accept_key(websocket_client::key) + "\r\n\r\n";
}

/// A final text frame of a server.
std::string text_frame(std::string_view payload) {
  return std::string("\x81") + static_cast<char>(payload.size()) + std::string(payload);
}

void expect_failure(connection_kind kind, std::vector<std::string> texts, std::string_view failure) {
  const std::string first = texts.empty() ? "" : texts.back();
  with_server_of(kind, saying_in_turn(std::move(texts)), [&](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 1, .time_limit = 5s});
    const tally opened = co_await all.open(1);
    EXPECT_EQ(opened.first, failure) << first;
  });
}

TEST(kinds, websockets_send_messages_both_ways_and_again) {
  http::router routes;
  routes.websocket("/", echo_messages);
  with_server_of(connection_kind::websocket, serving(std::move(routes)), [](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 8});
    const tally opened = co_await all.open(30);
    EXPECT_EQ(opened.succeeded, 30U) << opened.first;
    EXPECT_EQ(all.look_at_all().failed, 0U);
    const tally again = co_await all.ask_all();
    EXPECT_EQ(again.succeeded, 30U) << again.first;
  });
}

TEST(kinds, those_over_tls_do_the_same) {
  http::router routes;
  routes.get("/", [](http::request& /*request*/, http::response& response) -> task<> {
    (void)co_await response.send("text/plain", "hello");
  });
  http::router sockets;
  sockets.websocket("/", echo_messages);
  const std::pair<connection_kind, http::router> cases[] = {{connection_kind::https, routes},
                                                            {connection_kind::websocket_tls, sockets}};
  for (const auto& [kind, routed] : cases) {
    auto serve = [&routed](net::listener listening) -> task<> {
      const auto& ours = support::identity::shared();
      http::server server(routed);
      auto secret = net::tls::context::server({.certificate = ours.certificate, .key = ours.key}).value();
      (void)co_await server.serve(std::move(listening), std::move(secret));
    };
    with_server_of(kind, serve, [&](const target& at) -> task<> {
      crowd all(at, {.at_a_time = 4});
      const tally opened = co_await all.open(8);
      EXPECT_EQ(opened.succeeded, 8U) << opened.first;
      EXPECT_EQ(all.look_at_all().first, "");
      EXPECT_EQ((co_await all.ask_all()).succeeded, 8U);
    });
    with_server_of(kind, saying_in_turn({"HTTP/1.1 400 Bad Request\r\n\r\n"}), [](const target& at) -> task<> {
      crowd all(at, {.at_a_time = 1});
      const tally opened = co_await all.open(1);
      EXPECT_TRUE(opened.first.starts_with("the TLS handshake failed: ")) << opened.first;
    });
  }
}

TEST(kinds, a_wrong_handshake_is_a_failure) {
  expect_failure(connection_kind::websocket, {""}, "closed without a response");
  expect_failure(connection_kind::websocket, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, "responded with 200");
  expect_failure(connection_kind::websocket, {"HTTP/1.1 101 Switching"}, "the response was truncated");
  expect_failure(connection_kind::websocket, {std::string(switched) + "bm90IHRoZSByaWdodCBvbmU=\r\n\r\n"},
                 "the response to the WebSocket handshake has a wrong Sec-WebSocket-Accept");
  expect_failure(connection_kind::websocket, {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"},
                 "the response to the WebSocket handshake has a wrong Sec-WebSocket-Accept");
  expect_failure(connection_kind::websocket, {"\x81\x05hello"}, "the response is not HTTP");
}

TEST(kinds, wrong_frames_are_a_failure) {
  const std::string hands = good_handshake();
  expect_failure(connection_kind::websocket, {hands}, "closed the connection without a close frame");
  expect_failure(connection_kind::websocket, {hands, text_frame("something else")}, "did not echo a WebSocket message");
  expect_failure(connection_kind::websocket, {hands, std::string("\x88\x02\x03\xE9", 4)},
                 "closed the WebSocket with code 1001");
  expect_failure(connection_kind::websocket, {hands, std::string("\x81\x81mask!", 7)}, "sent what is not WebSocket");
  expect_failure(connection_kind::websocket, {hands, std::string("\x81\x20half", 6)},
                 "closed the connection without a close frame");
  expect_failure(connection_kind::websocket, {hands + text_frame("not asked for")}, "did not echo a WebSocket message");
}

TEST(kinds, a_ping_is_answered_and_a_message_may_come_in_pieces) {
  const std::string first = "message 0 of a connection that is weighed";
  const std::string ping = std::string("\x89\x02hi", 4);
  const std::string pieces = std::string("\x01\x09") + first.substr(0, 9) + ping + "\x80" +
                             static_cast<char>(first.size() - 9) + first.substr(9);
  // The server has nothing to say after the first message and the pong.
  expect_failure(connection_kind::websocket, {good_handshake(), pieces}, "closed the connection without a close frame");
  expect_failure(connection_kind::websocket, {good_handshake(), pieces, text_frame("wrong")},
                 "did not echo a WebSocket message");
}

TEST(kinds, event_streams_bring_ten_events) {
  http::router routes;
  routes.events("/", [](http::event_stream out) -> task<> {
    for (int i = 0; i < 10; ++i) {
      if (!co_await out.send("an event")) co_return;
    }
    co_await out.wait();
  });
  with_server_of(connection_kind::sse, serving(std::move(routes)), [](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 8});
    const tally opened = co_await all.open(30);
    EXPECT_EQ(opened.succeeded, 30U) << opened.first;
    EXPECT_EQ(all.look_at_all().failed, 0U);
  });
}

TEST(kinds, what_is_no_event_stream_is_a_failure) {
  const std::string head(events_head);
  expect_failure(connection_kind::sse, {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}, "responded with 404");
  expect_failure(connection_kind::sse, {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
                 "the response is not an event stream");
  expect_failure(connection_kind::sse, {head + "Content-Length: 9\r\n\r\ndata: a\n\n"},
                 "ended the event stream after 1 of 10 events");
  expect_failure(connection_kind::sse, {head + "Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n0\r\n\r\n"},
                 "ended the event stream after 1 of 10 events");
  expect_failure(connection_kind::sse, {head + "\r\ndata: a\n\n"}, "the response was truncated");
}

TEST(kinds, long_polls_wait_and_are_answered) {
  auto all = []() -> task<> {
    http::topic news;
    http::router routes;
    routes.get("/", [&news](http::request& request, http::response& response) -> task<> {
      (void)co_await news.wait_for(request, "", 1h);
      (void)co_await response.send("text/plain", "now");
    });
    auto listening = net::listener::bind(net::endpoint::loopback(0)).value();
    const target at = target_at(listening.local().value(), "/", false, connection_kind::long_poll).value();
    auto serve = serving(routes);
    co_await with_scope([&](scope& s) -> task<> {
      s.spawn(serve(std::move(listening)));
      crowd polls(at, {});
      EXPECT_EQ((co_await polls.open(20)).succeeded, 20U);
      for (int i = 0; i < 1000 && news.polls() < 20; ++i) co_await sleep_for(5ms);
      EXPECT_EQ(news.polls(), 20U);
      EXPECT_EQ(polls.look_at_all().failed, 0U);
      EXPECT_TRUE(news.publish("now"));
      const tally answered = co_await polls.ask_all();
      EXPECT_EQ(answered.succeeded, 20U) << answered.first;
      s.cancel();
    });
  };
  run(all());
}

/// What `look` finds of a connection that received this while it rested.
void expect_found_at_rest(connection_kind kind, std::vector<std::string> texts, std::string_view failure) {
  with_server_of(kind, saying_in_turn(std::move(texts)), [&](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 1, .time_limit = 5s});
    const tally opened = co_await all.open(1);
    EXPECT_EQ(opened.succeeded, 1U) << opened.first;
    tally found = all.look_at_all();
    for (int i = 0; i < 1000 && found.failed == 0; ++i) {
      co_await sleep_for(2ms);
      found = all.look_at_all();
    }
    EXPECT_EQ(found.first, failure);
  });
}

TEST(kinds, a_connection_that_does_not_rest_is_found) {
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  expect_found_at_rest(connection_kind::http, {response}, "closed the idle connection");
  expect_found_at_rest(connection_kind::long_poll, {response}, "responded instead of waiting");
  expect_found_at_rest(connection_kind::long_poll, {""}, "closed the idle connection");
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += "data: a\n\n";
  expect_found_at_rest(connection_kind::sse, {std::string(events_head) + "\r\n" + ten}, "closed the idle connection");
}

TEST(kinds, a_service_unavailable_response_at_rest_is_found) {
  auto late = [](net::listener listening) -> task<> {
    auto client = co_await listening.accept();
    auto request = co_await client->read();
    constexpr std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    (void)co_await client->write(std::as_bytes(std::span(response)));
    co_await sleep_for(20ms);
    constexpr std::string_view unasked = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
    (void)co_await client->write(std::as_bytes(std::span(unasked)));
    co_await sleep_for(1h);
  };
  with_server_of(connection_kind::http, late, [](const target& at) -> task<> {
    crowd all(at, {.at_a_time = 1});
    EXPECT_EQ((co_await all.open(1)).succeeded, 1U);
    tally found = all.look_at_all();
    for (int i = 0; i < 1000 && found.failed == 0; ++i) {
      co_await sleep_for(2ms);
      found = all.look_at_all();
    }
    EXPECT_EQ(found.first, "sent more than the response");
  });
}

}  // namespace
}  // namespace tare::load
