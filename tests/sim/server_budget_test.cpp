// A server whose memory budget has room for few requests, under every single fault: each request gets a response, a
// refusal or an error, and afterwards the budget has everything back.

#include "sim/explored.hpp"
#include "sim/http_server.hpp"
#include "sim/server_identity.hpp"

#include <tare/http.hpp>
#include <tare/memory_budget.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr std::size_t kib = std::size_t{1} << 10U;
constexpr std::size_t body_bytes = 30 * kib;
/// What a host holds in a simulation, whatever it does: the budget only knows what it has promised.
constexpr std::size_t resident_bytes = 40'960'000;

struct watched {
  std::size_t promised = 0;
  int responses = 0;
  int refusals = 0;
};

http::router budget_routes() {
  http::router made;
  // Holds its body while it waits for room for the response.
  made.post("/reserve", [](http::request& request, http::response& response) -> task<> {
    auto body = co_await request.body().read_all();
    if (!body) co_return;
    co_await tare::sleep_for(2ms);
    const bool has_room = co_await request.reserve(2 * body_bytes);
    if (!has_room) {
      (void)co_await response.status(503).send("text/plain", "no room");
      co_return;
    }
    co_await tare::sleep_for(2ms);
    (void)co_await response.send("text/plain", *body + *body);
  });
  made.post("/pieces", [](http::request& request, http::response& response) -> task<> {
    std::size_t bytes = 0;
    for (;;) {
      auto piece = co_await request.body().read();
      if (!piece) co_return;
      if (piece->empty()) break;
      bytes += piece->size();
      co_await tare::sleep_for(100us);
    }
    (void)co_await response.send("text/plain", std::to_string(bytes));
  });
  made.get("/healthz", [](http::request& /*request*/, http::response& response) -> task<> {
    (void)co_await response.send("text/plain", "well");
  });
  return made;
}

/// What the server has, and who reaches it how.
struct budget_plan {
  std::size_t memory_limit = 0;
  std::size_t connection_bytes = 0;
  bool over_tls = false;
};

task<> serve_with_budget(const world& w, budget_plan plan) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::server_options options;
  options.room_timeout = 20ms;
  options.urgent_paths = {"/healthz"};
  options.connection_bytes = plan.connection_bytes;
  http::server server(budget_routes(), std::move(options));
  if (plan.over_tls) {
    auto with = tare::testing::tls_server_context();
    (void)co_await server.serve(std::move(*listening), std::move(with));
  } else {
    (void)co_await server.serve(std::move(*listening));
  }
}

task<> post(world& w, const std::string& base, std::string path, std::string right, watched& seen) {
  http::client_options options;
  options.call_timeout = 10min;
  if (base.starts_with("https")) options.tls = tare::testing::tls_client_context();
  http::client client(std::move(options));
  http::client_request request;
  request.method = "POST";
  request.url = base + path;
  request.body = std::string(body_bytes, 'x');
  auto response = co_await client.send(std::move(request));
  // Without room for the connection, it is closed while the body is still coming, which may destroy the refusal.
  if (!response) {
    ++seen.refusals;
    co_return;
  }
  const unsigned status = response->status();
  auto body = co_await response->read_all();
  EXPECT_TRUE(body.has_value() || status == 503 || w.fault_may_fail()) << body.error().message();
  EXPECT_TRUE(status == 200 || status == 503 || w.fault_may_fail()) << status;
  if (status == 200 && body) {
    EXPECT_TRUE(*body == right) << body->size() << " bytes: " << body->substr(0, 40);
  }
  ++(status == 200 ? seen.responses : seen.refusals);
}

task<> look_after_health(world& w, const std::string& base) {
  http::client client;
  for (int i = 0; i < 3; ++i) {
    http::client_request request;
    request.url = base + "/healthz";
    auto response = co_await client.send(std::move(request));
    EXPECT_TRUE((response && response->status() == 200) || w.fault_may_fail())
        << (response ? std::to_string(response->status()) : response.error().message()) << ", seed " << w.seed();
    if (response) (void)co_await response->read_all();
    co_await tare::sleep_for(3ms);
  }
}

task<> exhaust(world& w, budget_plan plan, watched& seen) {
  auto& server = w.add_host("server", {.memory_limit = plan.memory_limit});
  seen = {};
  server.spawn(serve_with_budget(w, plan));
  co_await tare::sleep_for(1ms);
  w.set_link(w.here(), server, {.buffer_bytes = 16 * kib});
  const std::string base = plan.over_tls ? "https://server:80" : "http://" + server.address();
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 0; i < 2; ++i) {
      s.spawn(post(w, base, "/reserve", std::string(2 * body_bytes, 'x'), seen));
      s.spawn(post(w, base, "/pieces", std::to_string(body_bytes), seen));
    }
    if (plan.connection_bytes == 0 && !plan.over_tls) s.spawn(look_after_health(w, base));
    co_return;
  });
  co_await tare::sleep_for(1min);  // until the server gives up peers that have gone silent
  seen.promised = 1;
  for (int i = 0; i < 2; ++i) {  // the fault may end one of them
    server.spawn([&seen]() -> task<> {
      seen.promised = tare::memory().promised();
      co_return;
    });
    co_await tare::sleep_for(1ms);
  }
  EXPECT_EQ(seen.promised, 0U);
}

void explore_budget(budget_plan plan, std::size_t min_runs) {
  watched seen;
  tare::sim::explore_options chosen;
  chosen.max_bytes = 1;
  if (plan.over_tls) {
    chosen.refuse_allocations = chosen.split_reads = chosen.delay_wakes = chosen.cut_writes = false;
  }
  const auto explored = tare::testing::explore_every_fault([&](world& w) { return exhaust(w, plan, seen); }, chosen);
  EXPECT_GT(explored.runs, min_runs);
}

// Bodies wait for room.
TEST(sim_server_budget, with_room_for_few_bodies_under_every_fault) {
  explore_budget({.memory_limit = resident_bytes + 360 * kib}, 500);
}

// What handlers reserve waits for room.
TEST(sim_server_budget, with_room_for_few_responses_under_every_fault) {
  explore_budget({.memory_limit = resident_bytes + 480 * kib}, 500);
}

// Connections wait in the backlog.
TEST(sim_server_budget, with_room_for_few_connections_under_every_fault) {
  explore_budget({.memory_limit = resident_bytes + 360 * kib, .connection_bytes = 20 * kib}, 300);
}

// Handshakes wait for room.
TEST(sim_server_budget, with_room_for_few_handshakes_under_every_fault) {
  (void)tare::testing::server_identity::shared();  // writes files, which a simulation does not
  explore_budget({.memory_limit = resident_bytes + 360 * kib, .over_tls = true}, 300);
}

TEST(sim_server_budget, some_requests_are_refused_and_some_are_answered) {
  watched seen;
  int responses = 0;
  int refusals = 0;
  tare::sim::run_seeds(30, {}, [&](world& w) -> task<> {
    const budget_plan plan{.memory_limit = resident_bytes + 280 * kib};
    co_await exhaust(w, plan, seen);
    responses += seen.responses;
    refusals += seen.refusals;
  });
  EXPECT_GT(responses, 30);
  EXPECT_GT(refusals, 30);
}

}  // namespace
