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

/// The pieces of a message, whose number must be the next.
task<tare::http::result<std::string>> receive_in_pieces(http::websocket& by) {
  std::string all;
  for (;;) {
    const auto got = co_await by.receive_piece();
    if (!got) co_return std::unexpected(got.error());
    all += got->data;
    if (got->is_last) co_return all;
  }
}

task<tare::http::result<void>> send_in_pieces(http::websocket& by, std::string_view whole) {
  constexpr std::size_t piece_bytes = 40'000;
  auto out = co_await by.begin(http::websocket::kind::binary);
  if (!out) co_return std::unexpected(out.error());
  while (whole.size() > piece_bytes) {
    const auto sent = co_await out->write(whole.substr(0, piece_bytes));
    if (!sent) co_return sent;
    whole.remove_prefix(piece_bytes);
  }
  const auto half = co_await out->write(whole.substr(0, whole.size() / 2));
  if (!half) co_return half;
  co_return co_await out->finish(whole.substr(whole.size() / 2));
}

task<> echo_in_pieces(http::websocket socket) {
  for (int next = 0;;) {
    const auto got = co_await receive_in_pieces(socket);
    if (!got) break;
    expect_message(*got, next);
    if (!co_await send_in_pieces(socket, *got)) break;
  }
}

struct manner {
  bool compresses = false;
  bool in_pieces = false;
};

task<> serve_sockets(const world& w, manner how) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::router routes;
  http::websocket_options options;
  options.compress = how.compresses;
  routes.websocket("/echo", how.in_pieces ? echo_in_pieces : echo_in_order, options);
  http::server server(std::move(routes));
  const auto served = co_await server.serve(std::move(*listening));
  EXPECT_TRUE(served || w.fault_may_fail());
}

task<> send_messages(const world& w, http::websocket& by, bool in_pieces) {
  for (int i = 0; i < exchanged; ++i) {
    const std::string text = message(i);
    tare::http::result<void> sent;
    if (in_pieces) {
      sent = co_await send_in_pieces(by, text);
    } else {
      sent = co_await by.send_binary(text);
    }
    if (!sent) {
      EXPECT_TRUE(w.fault_may_fail()) << sent.error().message();
      (void)co_await by.close();  // memory may be short for this message only, and the server waits for it
      co_return;
    }
  }
}

task<> receive_messages(const world& w, http::websocket& by, bool in_pieces) {
  for (int next = 0; next < exchanged;) {
    tare::http::result<std::string> got;
    if (in_pieces) {
      got = co_await receive_in_pieces(by);
    } else {
      const auto whole = co_await by.receive();
      if (whole) {
        got = std::string(whole->data);
      } else {
        got = std::unexpected(whole.error());
      }
    }
    if (!got) {
      EXPECT_TRUE(w.fault_may_fail()) << got.error().message();
      co_return;
    }
    expect_message(*got, next);
  }
}

task<> exchange(world& w, manner how) {
  w.watch(80, [] { return std::make_unique<tare::testing::http_wire>(); });
  auto& server = w.add_host("server");
  server.spawn(serve_sockets(w, how));
  co_await tare::sleep_for(1ms);
  const std::string url = "ws://" + server.address() + "/echo";
  http::websocket_client_options options;
  options.socket.compress = how.compresses;
  auto socket = co_await http::websocket::connect(url, std::move(options));
  if (!socket) {
    EXPECT_TRUE(w.fault_may_fail()) << socket.error().message();
    co_return;
  }
  co_await tare::when_all(send_messages(w, *socket, how.in_pieces), receive_messages(w, *socket, how.in_pieces));
  const auto closed = co_await socket->close_and_wait();
  EXPECT_TRUE(closed || w.fault_may_fail()) << closed.error().message();
}

void explore_exchange(manner how) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 20;
  const auto seen = tare::testing::explore_every_fault([how](world& w) { return exchange(w, how); }, chosen);
  EXPECT_GT(seen.runs, 300U);
}

TEST(sim_websocket, exchanges_whole_messages_under_every_fault) { explore_exchange({}); }

TEST(sim_websocket, exchanges_compressed_messages_under_every_fault) { explore_exchange({.compresses = true}); }

TEST(sim_websocket, exchanges_messages_in_pieces_under_every_fault) { explore_exchange({.in_pieces = true}); }

TEST(sim_websocket, exchanges_compressed_messages_in_pieces_under_every_fault) {
  explore_exchange({.compresses = true, .in_pieces = true});
}

}  // namespace
