// Connections over TLS that end while the system's buffer is full, whatever part of the response or of close_notify
// still fits: a client that reads later receives all of it and a proper end, and one that never reads is given up.

#include "sim/server_identity.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;
namespace tls = tare::net::tls;

constexpr std::string_view request = "GET / HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n";
constexpr std::string_view body = "the whole response";

/// What the server did; it outlives the hosts.
struct outcome {
  std::size_t connections = SIZE_MAX;  ///< a while after the client has stopped reading
  http::server* server = nullptr;
};
outcome seen;

task<> serve() {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(443));
  const auto& own = tare::testing::server_identity::shared();
  auto with = tls::context::server({.certificate = own.certificate, .key = own.key});
  EXPECT_TRUE(listening && with);
  if (!listening || !with) co_return;
  http::server_options options;
  options.write_timeout = 5s;
  http::server server([](http::request& /*request*/,
                         http::response& response) -> task<> { (void)co_await response.send("text/plain", body); },
                      options);
  seen.server = &server;
  (void)co_await server.serve(std::move(*listening), std::move(*with));
  seen.server = nullptr;
}

/// Has sent a request, and received nothing: the server's buffer takes `room` bytes.
task<tls::stream> ask(world& w, std::size_t room) {
  seen = {};
  auto& server = w.add_host("server");
  server.spawn(serve());
  co_await tare::sleep_for(1ms);
  auto plain = co_await tare::net::connect("server", "443");
  auto with = tls::context::client({.authorities = tare::testing::server_identity::shared().certificate});
  auto agreed = co_await tls::stream::connect(std::move(plain.value()), with.value(), "server");
  tare::sim::link_options narrow;
  narrow.buffer_bytes = room;
  w.set_link_one_way(server, w.here(), narrow);
  EXPECT_TRUE(co_await agreed->write(std::as_bytes(std::span(request))));
  co_return std::move(agreed.value());
}

task<> read_later(world& w, std::size_t room) {
  auto client = co_await ask(w, room);
  co_await tare::sleep_for(200ms);
  std::string received;
  for (;;) {
    auto got = co_await client.read();
    EXPECT_TRUE(got) << got.error().message() << " with room for " << room << " bytes";
    if (!got || got->empty()) break;
    received.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
  }
  EXPECT_TRUE(received.ends_with(body)) << received;
}

task<> never_read(world& w, std::size_t room) {
  auto client = co_await ask(w, room);
  co_await tare::sleep_for(30s);  // more than all limits of the server
  w.at("server").spawn([]() -> task<> {
    seen.connections = seen.server->connections();
    co_return;
  });
  co_await tare::sleep_for(1s);
}

// From too little for the head of a record to enough for everything.
constexpr std::size_t most_room = 400;

TEST(sim_full_buffer, a_client_that_reads_later_receives_everything_and_the_end) {
  (void)tare::testing::server_identity::shared();  // writes files, which a simulation does not
  for (std::size_t room = 1; room < most_room; ++room) {
    tare::sim::run({.twice = false}, [room](world& w) { return read_later(w, room); });
  }
}

TEST(sim_full_buffer, a_client_that_never_reads_is_given_up_without_effort) {
  (void)tare::testing::server_identity::shared();
  constexpr std::size_t few = 1000;  // calls; a server that tries in a loop makes many more
  for (std::size_t room = 1; room < most_room; room += 3) {
    const auto made = tare::sim::run({.twice = false}, [room](world& w) { return never_read(w, room); });
    EXPECT_LT(made.steps, few) << "with room for " << room << " bytes";
    EXPECT_EQ(seen.connections, 0U) << "with room for " << room << " bytes";
  }
}

}  // namespace
