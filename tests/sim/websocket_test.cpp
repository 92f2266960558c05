// A WebSocket between this library's client and server under every single fault: messages arrive whole, once and in
// order, on both sides, and nothing follows half a frame.

#include "sim/explored.hpp"
#include "sim/wire_checkers.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr int exchanged = 3;

/// The last one is so large that a client masks it piece by piece.
std::string message(int number) {
  const std::size_t size = number + 1 == exchanged ? 70'000 : 10;
  return std::to_string(number) + std::string(size, static_cast<char>('a' + number));
}

/// Whether `got` may follow `next - 1`.
void expect_message(std::string_view got, int& next) {
  EXPECT_LT(next, exchanged);
  EXPECT_TRUE(got == message(next)) << got.substr(0, 20) << " instead of message " << next;
  ++next;
}

task<> echo_in_order(http::websocket socket) {
  int next = 0;
  while (auto got = co_await socket.receive()) {
    expect_message(got->data, next);
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

task<> serve_sockets(const world& w, bool compresses) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::router routes;
  http::websocket_options options;
  options.compress = compresses;
  routes.websocket("/echo", echo_in_order, options);
  http::server server(std::move(routes));
  const auto served = co_await server.serve(std::move(*listening));
  EXPECT_TRUE(served || w.fault_may_fail());
}

task<> send_messages(const world& w, http::websocket& by) {
  for (int i = 0; i < exchanged; ++i) {
    const std::string text = message(i);
    const auto sent = co_await by.send_binary(text);
    if (!sent) {
      EXPECT_TRUE(w.fault_may_fail()) << sent.error().message();
      co_return;
    }
  }
}

task<> receive_messages(const world& w, http::websocket& by) {
  for (int next = 0; next < exchanged;) {
    const auto got = co_await by.receive();
    if (!got) {
      EXPECT_TRUE(w.fault_may_fail()) << got.error().message();
      co_return;
    }
    expect_message(got->data, next);
  }
}

task<> exchange(world& w, bool compresses) {
  w.watch(80, [] { return std::make_unique<tare::testing::http_wire>(); });
  auto& server = w.add_host("server");
  server.spawn(serve_sockets(w, compresses));
  co_await tare::sleep_for(1ms);
  const std::string url = "ws://" + server.address() + "/echo";
  http::websocket_client_options options;
  options.socket.compress = compresses;
  auto socket = co_await http::websocket::connect(url, std::move(options));
  if (!socket) {
    EXPECT_TRUE(w.fault_may_fail()) << socket.error().message();
    co_return;
  }
  co_await tare::when_all(send_messages(w, *socket), receive_messages(w, *socket));
  const auto closed = co_await socket->close_and_wait();
  EXPECT_TRUE(closed || w.fault_may_fail()) << closed.error().message();
}

void explore_exchange(bool compresses) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 20;
  const auto seen =
      tare::testing::explore_every_fault([compresses](world& w) { return exchange(w, compresses); }, chosen);
  EXPECT_GT(seen.runs, 300U);
}

TEST(sim_websocket, exchanges_whole_messages_under_every_fault) { explore_exchange(false); }

TEST(sim_websocket, exchanges_compressed_messages_under_every_fault) { explore_exchange(true); }

}  // namespace
