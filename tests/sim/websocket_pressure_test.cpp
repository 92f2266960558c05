// WebSockets and event streams whose peer reads slowly: sends wait behind each other, control frames arrive meanwhile,
// and whatever is cancelled or cut, each message arrives whole or not at all.

#include "sim/explored.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr std::size_t buffer_bytes = 2000;
constexpr std::size_t message_bytes = 5000;
constexpr int senders = 3;

std::string message_of(int sender) {
  std::string text(message_bytes, static_cast<char>('a' + sender));
  return text;
}

task<> send_one(http::websocket& to, int sender) { (void)co_await to.send_text(message_of(sender)); }

/// Several tasks send at once, while this one receives.
task<> serve_socket(http::websocket socket) {
  tare::scope sending;
  auto join = [&]() -> task<> { co_await sending.join(); };
  std::exception_ptr error;
  try {
    for (int i = 0; i < senders; ++i) sending.spawn(send_one(socket, i));
    while (auto got = co_await socket.receive()) {
      if (!co_await socket.send(got->kind, got->data)) break;
    }
  } catch (...) {
    error = std::current_exception();
    sending.cancel();
  }
  co_await tare::shield(join());
  if (error) std::rethrow_exception(error);
}

task<> serve(const world& w) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::router routes;
  http::websocket_options options;
  options.ping_interval = 2s;
  options.ping_timeout = 20s;
  routes.websocket("/socket", serve_socket, options);
  routes.events("/events", [](http::event_stream out) -> task<> {
    const std::string text(message_bytes, 'e');
    for (int i = 0; i < 3; ++i) {
      if (!co_await out.send(text)) co_return;
    }
  });
  http::server_options options_of_server;
  options_of_server.on_error = [](const std::exception_ptr& /*error*/) {};
  http::server server(std::move(routes), std::move(options_of_server));
  (void)co_await server.serve(std::move(*listening));
}

void expect_whole(std::string_view got) {
  EXPECT_TRUE(got.size() == message_bytes || got == "echo") << got.size();
  if (got != "echo") {
    EXPECT_EQ(got.find_first_not_of(got.front()), got.npos);
  }
}

/// Reads a message, then nothing for a while.
task<> receive_slowly(const world& w, http::websocket& by) {
  std::multiset<char> seen;
  while (seen.size() < senders + 1U) {
    auto got = co_await by.receive();
    if (!got) {
      EXPECT_TRUE(w.fault_may_fail()) << got.error().message();
      co_return;
    }
    const std::string_view data = got->data;
    expect_whole(data);
    seen.insert(data.front());
    EXPECT_EQ(seen.count(data.front()), 1U) << "a message came twice";
    co_await tare::sleep_for(100ms);
  }
}

task<> send_echo_and_pings(http::websocket& by) {
  for (int i = 0; i < 3; ++i) {
    if (!co_await by.ping("ping")) co_return;
    co_await tare::sleep_for(20ms);
  }
  (void)co_await by.send_text("echo");
}

void slow_down(world& w, tare::sim::host& server) {
  tare::sim::link_options narrow;
  narrow.buffer_bytes = buffer_bytes;
  w.set_link(w.here(), server, narrow);
}

task<> exchange(world& w) {
  auto& server = w.add_host("server");
  slow_down(w, server);
  server.spawn(serve(w));
  co_await tare::sleep_for(1ms);
  const http::websocket_client_options defaults;
  auto socket = co_await http::websocket::connect("ws://" + server.address() + "/socket", defaults);
  if (!socket) {
    EXPECT_TRUE(w.fault_may_fail()) << socket.error().message();
    co_return;
  }
  // The fault may have ended a task of the server that would have sent a message.
  auto talking = [&]() -> task<> { co_await tare::when_all(receive_slowly(w, *socket), send_echo_and_pings(*socket)); };
  const bool in_time = static_cast<bool>(co_await tare::timeout(1min, talking()));
  EXPECT_TRUE(in_time || w.fault_may_fail());
  (void)co_await socket->close();
}

TEST(sim_websocket_pressure, each_message_arrives_whole_under_every_fault) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 3;
  (void)tare::testing::explore_every_fault([](world& w) { return exchange(w); }, chosen);
}

task<> follow_events(world& w) {
  auto& server = w.add_host("server");
  slow_down(w, server);
  server.spawn(serve(w));
  co_await tare::sleep_for(1ms);
  http::client client({.call_timeout = 1min});
  http::client_request request;
  request.url = "http://" + server.address() + "/events";
  auto response = co_await client.send(std::move(request));
  if (!response) {
    EXPECT_TRUE(w.fault_may_fail()) << response.error().message();
    co_return;
  }
  if (response->status() != 200) {
    EXPECT_TRUE(w.fault_may_fail()) << response->status();
    co_return;
  }
  std::string received;
  for (;;) {
    auto piece = co_await response->read();
    if (!piece) {
      EXPECT_TRUE(w.fault_may_fail()) << piece.error().message();
      co_return;
    }
    if (piece->empty()) break;
    received.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    co_await tare::sleep_for(10ms);
  }
  // Complete: each event whole.
  EXPECT_EQ(received.size() % (message_bytes + std::string_view("data: \n\n").size()), 0U);
  if (!w.fault_may_fail()) {
    EXPECT_EQ(received.size(), 3 * (message_bytes + std::string_view("data: \n\n").size()));
  }
}

TEST(sim_event_pressure, each_event_arrives_whole_under_every_fault) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 3;
  (void)tare::testing::explore_every_fault([](world& w) { return follow_events(w); }, chosen);
}

}  // namespace
