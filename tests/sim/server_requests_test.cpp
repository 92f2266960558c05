// A server with raw clients: each row is what a client sends, and the beginning of what it must receive. Each row under
// every fault, so that each way through the server is cancelled, refused memory and cut.

#include "sim/explored.hpp"
#include "sim/server_identity.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <cctype>
#include <chrono>
#include <cstddef>
#include <exception>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr std::size_t larger_than_copied = 20'000;

http::router routes() {
  http::router made;
  made.post("/echo", [](http::request& request, http::response& response) -> task<> {
    auto body = co_await request.body().read_all();
    if (!body) co_return;
    (void)co_await response.send("text/plain", *body);
  });
  made.post("/pieces", [](http::request& request, http::response& response) -> task<> {
    std::size_t bytes = 0;
    for (;;) {
      auto piece = co_await request.body().read();
      if (!piece) co_return;
      if (piece->empty()) break;
      bytes += piece->size();
    }
    (void)co_await response.send("text/plain", std::to_string(bytes));
  });
  made.post("/ignore", [](http::request& /*request*/, http::response& response) -> task<> {
    (void)co_await response.send("text/plain", "ignored");
  });
  made.get("/silent", [](http::request& /*request*/, http::response& /*response*/) -> task<> { co_return; });
  made.get("/throws", [](http::request& /*request*/, http::response& /*response*/) -> task<> {
    co_await tare::sleep_for(1ms);
    throw std::runtime_error("a defect of the handler");
  });
  made.get("/never",
           [](http::request& /*request*/, http::response& /*response*/) -> task<> { co_await tare::sleep_for(24h); });
  made.get("/large", [](http::request& /*request*/, http::response& response) -> task<> {
    const std::string large(larger_than_copied, 'x');
    if (!co_await response.write(large)) co_return;
    (void)co_await response.write("end");
  });
  made.get("/counted", [](http::request& /*request*/, http::response& response) -> task<> {
    if (!co_await response.start(6)) co_return;
    if (!co_await response.write("one")) co_return;
    if (!co_await response.write("two")) co_return;
    (void)co_await response.finish();
  });
  made.events("/events", [](http::event_stream out) -> task<> {
    (void)co_await out.send("first");
    co_await tare::sleep_for(1ms);
    (void)co_await out.send("second");
  });
  made.websocket("/socket", [](http::websocket socket) -> task<> {
    while (auto got = co_await socket.receive()) (void)co_await socket.send(got->kind, got->data);
  });
  made.get("/accept", [](http::request& request, http::response& response) -> task<> {
    auto socket = co_await http::websocket::accept(request, response, {});
    if (!socket) co_return;
    while (auto got = co_await socket->receive()) (void)co_await socket->send(got->kind, got->data);
  });
  return made;
}

/// What a client sends, a piece at a time; what the whole of what it receives begins with, and how it ends.
struct row {
  std::string_view name;
  std::vector<std::string_view> pieces;
  std::string_view begins;
  std::string_view ends = {};
  bool half_closes = true;  ///< after the last piece; a handler of a client that has left is cancelled
};

constexpr std::string_view handshake =
    " HTTP/1.1\r\nhost: server\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";

const std::vector<row>& rows() {
  static const std::vector<row> all = {
      {"body",
       {"POST /echo HTTP/1.1\r\nhost: server\r\ncontent-length: 8\r\n\r\nbo", "dy b", "od"},
       "HTTP/1.1 200",
       "body bod"},
      {"chunks",
       {"POST /echo HTTP/1.1\r\nhost: s\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbo", "dy\r\n", "0\r\n\r\n"},
       "HTTP/1.1 200",
       "body"},
      {"pieces", {"POST /pieces HTTP/1.1\r\nhost: s\r\ncontent-length: 6\r\n\r\n", "one", "two"}, "HTTP/1.1 200", "6"},
      {"continue",
       {"POST /echo HTTP/1.1\r\nhost: s\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n", "body"},
       "HTTP/1.1 200",
       "body"},
      {"continue, refused",
       {"POST /ignore HTTP/1.1\r\nhost: s\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n"},
       "HTTP/1.1 200",
       "ignored"},
      {"skipped body",
       {"POST /ignore HTTP/1.1\r\nhost: s\r\ncontent-length: 8\r\n\r\n", "skip", "ped!",
        "GET /counted HTTP/1.1\r\nhost: s\r\n\r\n"},
       "HTTP/1.1 200",
       "onetwo"},
      {"cut body", {"POST /echo HTTP/1.1\r\nhost: s\r\ncontent-length: 8\r\n\r\n", "cut"}, "HTTP/1.1 400"},
      {"large body", {"POST /echo HTTP/1.1\r\nhost: s\r\ncontent-length: 99999999\r\n\r\n"}, "HTTP/1.1 413"},
      {"head in pieces", {"GET /coun", "ted HTTP/1.1\r\nho", "st: s\r\n\r\n"}, "HTTP/1.1 200", "onetwo"},
      {"pipelined",
       {"GET /counted HTTP/1.1\r\nhost: s\r\n\r\nGET /silent HTTP/1.1\r\nhost: s\r\n\r\n"},
       "HTTP/1.1 200",
       "content-length: 0\r\n\r\n"},
      {"malformed", {"GET / HTTP/1.1\r\nno field\r\n\r\n"}, "HTTP/1.1 400"},
      {"unknown path", {"GET /nothing HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 404", "not found\n"},
      {"wrong method", {"PUT /echo HTTP/1.1\r\nhost: s\r\ncontent-length: 0\r\n\r\n"}, "HTTP/1.1 405"},
      {"options", {"OPTIONS /echo HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 204"},
      {"handler throws", {"GET /throws HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 500", "", false},
      {"handler too slow", {"GET /never HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 503", "", false},
      {"silent handler", {"GET /silent HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 200"},
      {"large pieces",
       {"GET /large HTTP/1.1\r\nhost: s\r\nconnection: close\r\n\r\n"},
       "HTTP/1.1 200",
       "end\r\n0\r\n\r\n",
       false},
      {"HTTP/1.0", {"GET /large HTTP/1.0\r\n\r\n"}, "HTTP/1.1 200", "xend", false},
      {"head of a counted response", {"HEAD /counted HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 200", "\r\n\r\n"},
      {"events", {"GET /events HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 200"},
      {"events by POST", {"POST /events HTTP/1.1\r\nhost: s\r\ncontent-length: 0\r\n\r\n"}, "HTTP/1.1 405"},
      {"head of events", {"HEAD /events HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 200"},
      {"events with a body", {"GET /events HTTP/1.1\r\nhost: s\r\ncontent-length: 4\r\n\r\n", "body"}, "HTTP/1.1 400"},
      {"not a handshake", {"GET /socket HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 400", "this is for WebSockets\n"},
      {"old version",
       {"GET /socket HTTP/1.1\r\nhost: s\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 8\r\n\r\n"},
       "HTTP/1.1 426"},
      {"other origin",
       {"GET /socket HTTP/1.1\r\nhost: s\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "origin: http://other\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"},
       "HTTP/1.1 403"},
      {"not accepted", {"GET /accept HTTP/1.1\r\nhost: s\r\n\r\n"}, "HTTP/1.1 400"},
      {"accepted socket", {"GET /accept", handshake, "\x81\x82\x01\x01\x01\x01", "ij"}, "HTTP/1.1 101"},
      {"socket of a route",
       {"GET /socket", handshake, "\x81\x82\x01\x01\x01\x01", "ij", "\x88\x80\x01\x01\x01\x01"},
       "HTTP/1.1 101"},
  };
  return all;
}

enum class scheme : bool { http, https };

/// How a client reaches the server.
struct way {
  scheme by = scheme::http;
  bool is_narrow = false;  ///< so that nearly every send must wait
};

task<> serve(const world& w, scheme by) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::server_options options;
  options.on_error = [](const std::exception_ptr& /*error*/) {};
  options.request_timeout = 5s;
  http::server server(routes(), std::move(options));
  if (by == scheme::https) {
    const auto& own = tare::testing::server_identity::shared();
    auto with = tare::net::tls::context::server({.certificate = own.certificate, .key = own.key}).value();
    (void)co_await server.serve(std::move(*listening), std::move(with));
  } else {
    (void)co_await server.serve(std::move(*listening));
  }
}

/// What a connection that did not end properly adds to what has been received.
constexpr std::string_view cut_off = "<cut off>";

/// Sends all pieces, the end of the stream, and receives to the end.
template <class Stream>
task<std::string> talk(Stream& to, const row& each) {
  for (const std::string_view piece : each.pieces) {
    auto sent = co_await to.write(std::as_bytes(std::span(piece)));
    if (!sent) break;
    co_await tare::sleep_for(10ms);
  }
  if (each.half_closes) {
    auto ended = to.shutdown_write();
    for (int i = 0; i < 100 && !ended && ended.error() == std::errc::operation_would_block; ++i) {
      co_await tare::sleep_for(1ms);
      ended = to.shutdown_write();
    }
  }
  std::string received;
  for (;;) {
    auto got = co_await to.read();
    if (!got) received += cut_off;
    if (!got || got->empty()) co_return received;
    received.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
  }
}

task<> ask(world& w, const row& each, way over) {
  const scheme by = over.by;
  auto& server = w.add_host("server");
  // Over TLS, a client that does not read must have room for the tickets.
  if (over.is_narrow) w.set_link(w.here(), server, {.buffer_bytes = by == scheme::https ? 600U : 50U});
  server.spawn(serve(w, by));
  co_await tare::sleep_for(1ms);
  // The fault may have ended the server, or an attempt to connect.
  auto in_time = co_await tare::timeout(60s, tare::net::connect(server.address(), "80"));
  if (!in_time || !*in_time) {
    EXPECT_TRUE(w.fault_may_fail());
    co_return;
  }
  auto connected = std::move(*in_time);
  connected->expires_after(60s);
  std::string received;
  if (by == scheme::https) {
    auto with = tare::net::tls::context::client({.authorities = tare::testing::server_identity::shared().certificate});
    auto agreed = co_await tare::net::tls::stream::connect(std::move(*connected), with.value(), "server");
    if (!agreed) {
      EXPECT_TRUE(w.fault_may_fail()) << agreed.error().message();
      co_return;
    }
    received = co_await talk(*agreed, each);
  } else {
    received = co_await talk(*connected, each);
  }
  // Only if the body had not arrived when the handler wanted it.
  constexpr std::string_view interim = "HTTP/1.1 100 Continue\r\n\r\n";
  if (received.starts_with(interim)) received.erase(0, interim.size());
  if (!w.fault_may_fail()) {
    EXPECT_TRUE(received.starts_with(each.begins)) << each.name << ": " << received.substr(0, 100);
    EXPECT_FALSE(received.ends_with(cut_off)) << each.name << ": " << received;
    EXPECT_TRUE(received.ends_with(each.ends)) << each.name << ": " << received;
  }
}

void PrintTo(const row& each, std::ostream* to) { *to << each.name; }

class sim_server : public ::testing::TestWithParam<row> {};

TEST_P(sim_server, responds_or_closes_under_every_fault) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 4;
  (void)tare::testing::explore_every_fault([](world& w) { return ask(w, GetParam(), {}); }, chosen);
}

TEST_P(sim_server, responds_or_closes_over_tls_under_every_fault) {
  (void)tare::testing::server_identity::shared();  // writes files, which a simulation does not
  tare::sim::explore_options chosen;
  chosen.max_bytes = 2;
  chosen.refuse_allocations = chosen.split_reads = chosen.delay_wakes = chosen.cut_writes = false;
  const way over{.by = scheme::https};
  (void)tare::testing::explore_every_fault([over](world& w) { return ask(w, GetParam(), over); }, chosen);
}

TEST_P(sim_server, responds_or_closes_over_a_narrow_link_whatever_is_cancelled) {
  (void)tare::testing::server_identity::shared();
  tare::sim::explore_options chosen;
  chosen.refuse_allocations = chosen.split_reads = chosen.delay_wakes = chosen.cut_writes = false;
  for (const scheme by : {scheme::http, scheme::https}) {
    const way over{.by = by, .is_narrow = true};
    (void)tare::testing::explore_every_fault([over](world& w) { return ask(w, GetParam(), over); }, chosen);
  }
}

INSTANTIATE_TEST_SUITE_P(rows, sim_server, ::testing::ValuesIn(rows()), [](const auto& tested) {
  std::string name;
  for (const char letter : tested.param.name)
    name += std::isalnum(static_cast<unsigned char>(letter)) != 0 ? letter : '_';
  return name;
});

}  // namespace
