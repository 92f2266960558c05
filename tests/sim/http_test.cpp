// An HTTP client and server on two hosts, under every single fault, and under many seeds with random ones.

#include <tare/http.hpp>

#include "sim/explored.hpp"
#include "sim/server_identity.hpp"
#include "sim/wire_checkers.hpp"

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;
using tare::testing::server_identity;

/// With TLS: 1.3, or 1.2, under which OpenSSL keeps the connection after the handshake.
enum class scheme : std::uint8_t { http, https, https_1_2 };

tare::net::tls::context server_context(scheme by) {
  const auto& own = server_identity::shared();
  using tare::net::tls::protocol;
  const protocol version = by == scheme::https ? protocol::tls_1_3 : protocol::tls_1_2;
  return tare::net::tls::context::server({.certificate = own.certificate, .key = own.key, .max_version = version})
      .value();
}

/// Every connection to the server follows its protocols, whatever fault is injected.
void watch(world& w, scheme by) {
  w.watch(80, [by]() -> std::unique_ptr<tare::sim::wire_checker> {
    if (by == scheme::http) return std::make_unique<tare::testing::http_wire>();
    using tare::testing::tls_wire;
    return std::make_unique<tls_wire>(by == scheme::https ? tls_wire::tls_1_3 : tls_wire::tls_1_2);
  });
}

tare::net::tls::context client_context() {
  return tare::net::tls::context::client({.authorities = server_identity::shared().certificate}).value();
}

task<> serve(const world& w, scheme by) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  tare::http::router routes;
  routes.get("/short", [](tare::http::request& /*asked*/, tare::http::response& answer) -> task<> {
    (void)co_await answer.send("text/plain", "short");
  });
  routes.get("/pieces", [](tare::http::request& /*asked*/, tare::http::response& answer) -> task<> {
    for (int i = 0; i < 3; ++i) {
      auto sent = co_await answer.write("piece ");
      if (!sent) co_return;
      co_await tare::sleep_for(1ms);
    }
  });
  routes.post("/echo", [](tare::http::request& asked, tare::http::response& answer) -> task<> {
    auto body = co_await asked.body().read_all();
    if (!body) co_return;
    (void)co_await answer.send("text/plain", *body);
  });
  tare::http::server_options options;
  options.on_error = [](const std::exception_ptr& /*error*/) {};
  tare::http::server server(std::move(routes), std::move(options));
  if (by != scheme::http) {
    auto with = server_context(by);
    (void)co_await server.serve(std::move(*listening), std::move(with));
  } else {
    (void)co_await server.serve(std::move(*listening));
  }
}

/// A response is the right one, or an error, and never a wrong or a short one.
task<> ask(world& w, tare::http::client& by, tare::http::client_request request, std::string expected) {
  auto response = co_await by.send(std::move(request));
  if (!response) {
    EXPECT_TRUE(w.fault_may_fail()) << response.error().message();
    co_return;
  }
  const auto status = response->status();
  auto body = co_await response->read_all();
  if (!body) {
    EXPECT_TRUE(w.fault_may_fail()) << body.error().message();
    co_return;
  }
  if (status == 200) {
    EXPECT_EQ(*body, expected);
  } else {
    EXPECT_TRUE(w.fault_may_fail()) << status;
  }
}

task<> converse(world& w, scheme by) {
  watch(w, by);
  auto& server = w.add_host("server");
  server.spawn(serve(w, by));
  co_await tare::sleep_for(1ms);
  const std::string base = by != scheme::http ? std::string("https://server:80") : "http://" + server.address();
  tare::http::client_options options;
  options.call_timeout = 10min;
  if (by != scheme::http) options.tls = client_context();
  tare::http::client client(std::move(options));
  // Not braced lists in the awaits: g++ 12 copies such an object bit by bit, and destroys it twice.
  tare::http::client_request whole;
  whole.url = base + "/short";
  co_await ask(w, client, std::move(whole), "short");
  tare::http::client_request pieces;
  pieces.url = base + "/pieces";
  co_await ask(w, client, std::move(pieces), "piece piece piece ");
  tare::http::client_request post;
  post.method = "POST";
  post.url = base + "/echo";
  post.body = "body";
  co_await ask(w, client, std::move(post), "body");
  if (!w.fault_may_fail()) {
    EXPECT_EQ(client.idle_connections(), 1U);
  }
}

void explore(scheme by, std::size_t max_bytes, std::size_t min_faults) {
  (void)server_identity::shared();  // writes files, which a simulation does not
  tare::sim::explore_options chosen;
  chosen.max_bytes = max_bytes;
  const auto seen = tare::testing::explore_every_fault([by](world& w) { return converse(w, by); }, chosen);
  EXPECT_GT(seen.runs, min_faults);
}

TEST(sim_http, requests_and_responses_under_every_fault) { explore(scheme::http, 200, 1000); }

TEST(sim_https, requests_and_responses_under_every_fault) { explore(scheme::https, 24, 500); }

TEST(sim_https, requests_and_responses_over_tls_1_2_under_every_fault) { explore(scheme::https_1_2, 12, 500); }

TEST(sim_http, requests_and_responses_under_many_seeds) {
  tare::sim::run_seeds(300, {}, [](world& w) { return converse(w, scheme::http); });
}

TEST(sim_https, requests_and_responses_under_many_seeds) {
  (void)server_identity::shared();
  tare::sim::run_seeds(100, {}, [](world& w) { return converse(w, scheme::https); });
}

TEST(sim_https, requests_and_responses_over_tls_1_2_under_many_seeds) {
  (void)server_identity::shared();
  tare::sim::run_seeds(100, {}, [](world& w) { return converse(w, scheme::https_1_2); });
}

/// A client that asks until the scenario ends. Any error may happen, but no wrong response.
task<> keep_asking(std::string base, int& answered) {
  tare::http::client_options options;
  options.call_timeout = 20s;
  tare::http::client client(std::move(options));
  for (int i = 0; i < 20; ++i) {
    const std::string body = "body " + std::to_string(i);
    tare::http::client_request post;
    post.method = "POST";
    post.url = base + "/echo";
    post.body = body;
    auto response = co_await client.send(std::move(post));
    if (!response) continue;
    const auto status = response->status();
    auto got = co_await response->read_all();
    if (!got || status != 200) continue;
    EXPECT_EQ(*got, body);
    ++answered;
  }
}

/// What a seed does to the network while clients ask.
task<> disturb(world& w, tare::sim::host& server) {
  for (int i = 0; i < 6; ++i) {
    co_await tare::sleep_for(std::chrono::microseconds(w.random_below(20'000)));
    switch (w.random_below(4)) {
      case 0:
        w.reset_connections(w.here(), server);
        break;
      case 1:
        w.partition(w.here(), server);
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(30'000)));
        w.heal();
        break;
      case 2:
        w.partition_one_way(server, w.here());
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(3'000)));
        w.heal();
        break;
      default:
        server.limit_descriptors(server.open_descriptors() + w.random_below(2));
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(100)));
        server.limit_descriptors(1000);
        break;
    }
  }
}

TEST(sim_http, clients_recover_from_resets_partitions_and_a_lack_of_descriptors) {
  int answered = 0;
  tare::sim::run_seeds(200, {}, [&](world& w) -> task<> {
    watch(w, scheme::http);
    auto& server = w.add_host("server");
    server.spawn(serve(w, scheme::http));
    co_await tare::sleep_for(1ms);
    const int before = answered;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 3; ++i) s.spawn(keep_asking("http://" + server.address(), answered));
      co_await disturb(w, server);
    });
    EXPECT_GT(answered, before);
  });
}

}  // namespace
