// The HTTP client in its rarer states, under every single fault: calls that wait for a connection, bodies that are
// made piece by piece, servers that respond before the body has ended, refuse it, or take it slowly.

#include "sim/explored.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr std::size_t large_bytes = 60'000;

/// Responds with each piece of the body as soon as it has come.
task<> echo_pieces(http::request& request, http::response& response) {
  if (!co_await response.write("echo: ")) co_return;
  for (;;) {
    auto piece = co_await request.body().read();
    if (!piece) throw std::system_error(piece.error());  // so that the response does not look complete
    if (piece->empty()) co_return;
    const std::string text(reinterpret_cast<const char*>(piece->data()), piece->size());
    if (!co_await response.write(text)) co_return;
  }
}

http::router routes() {
  http::router made;
  made.get("/slow", [](http::request& /*request*/, http::response& response) -> task<> {
    co_await tare::sleep_for(5ms);
    (void)co_await response.send("text/plain", "slow");
  });
  made.post("/echo", echo_pieces);
  made.post("/count", [](http::request& request, http::response& response) -> task<> {
    auto body = co_await request.body().read_all();
    if (body) (void)co_await response.send("text/plain", std::to_string(body->size()));
  });
  made.post("/refuse", [](http::request& /*request*/, http::response& response) -> task<> {
    (void)co_await response.status(403).send("text/plain", "no");
  });
  return made;
}

task<> serve(const world& w) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::server_options options;
  options.on_error = [](const std::exception_ptr& /*error*/) {};
  http::server server(routes(), std::move(options));
  (void)co_await server.serve(std::move(*listening));
}

struct expected {
  unsigned status = 200;
  std::string body;
};

/// A response is the right one, or an error.
task<> call(world& w, http::client& by, http::client_request request, expected right) {
  auto response = co_await by.send(std::move(request));
  if (!response) {
    EXPECT_TRUE(w.fault_may_fail()) << response.error().message();
    co_return;
  }
  const unsigned status = response->status();
  auto body = co_await response->read_all();
  EXPECT_TRUE(body.has_value() || w.fault_may_fail()) << body.error().message();
  if (w.fault_may_fail() && status != right.status) co_return;
  EXPECT_EQ(status, right.status);
  if (body) {
    EXPECT_TRUE(*body == right.body) << body->size() << " bytes: " << body->substr(0, 40);
  }
}

/// Makes so many pieces, each after a pause.
std::function<task<std::string_view>()> pieces(int count, std::string piece) {
  return [left = count, made = std::move(piece)]() mutable -> task<std::string_view> {
    co_await tare::sleep_for(2ms);
    if (left == 0) co_return std::string_view();
    --left;
    co_return std::string_view(made);
  };
}

http::client_request post(const std::string& base, std::string_view path) {
  http::client_request made;
  made.method = "POST";
  made.url = base + std::string(path);
  return made;
}

using conversation = std::function<task<>(world&, http::client&, const std::string& base, tare::sim::host& server)>;

void explore(const conversation& body, std::size_t max_bytes, std::size_t min_runs) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = max_bytes;
  const auto run = [&](world& w) -> task<> {
    auto& server = w.add_host("server");
    server.spawn(serve(w));
    co_await tare::sleep_for(1ms);
    http::client_options options;
    options.call_timeout = 10min;
    options.max_connections_per_host = 1;
    http::client client(std::move(options));
    const std::string base = "http://" + server.address();
    co_await body(w, client, base, server);
    http::client_request last;
    last.url = base + "/slow";
    const expected slow{.status = 200, .body = "slow"};
    co_await call(w, client, std::move(last), slow);
  };
  const auto seen = tare::testing::explore_every_fault(run, chosen);
  EXPECT_GT(seen.runs, min_runs);
}

TEST(sim_client_states, calls_that_wait_for_a_connection_under_every_fault) {
  explore(
      [](world& w, http::client& client, const std::string& base, tare::sim::host& /*server*/) -> task<> {
        const auto once = [&]() -> task<> {
          http::client_request request;
          request.url = base + "/slow";
          const expected slow{.status = 200, .body = "slow"};
          co_await call(w, client, std::move(request), slow);
        };
        co_await tare::when_all(once(), once(), once());
      },
      24, 200);
}

TEST(sim_client_states, a_body_in_pieces_and_a_response_before_its_end_under_every_fault) {
  explore(
      [](world& w, http::client& client, const std::string& base, tare::sim::host& /*server*/) -> task<> {
        auto echoed = post(base, "/echo");
        echoed.stream = pieces(3, "piece");
        const expected echo{.status = 200, .body = "echo: piecepiecepiece"};
        co_await call(w, client, std::move(echoed), echo);
        auto counted = post(base, "/count");
        counted.stream = pieces(2, "12345");
        const expected ten{.status = 200, .body = "10"};
        co_await call(w, client, std::move(counted), ten);
      },
      24, 200);
}

TEST(sim_client_states, a_body_that_is_refused_while_it_is_made_under_every_fault) {
  explore(
      [](world& w, http::client& client, const std::string& base, tare::sim::host& /*server*/) -> task<> {
        auto refused = post(base, "/refuse");
        refused.stream = pieces(1000, "piece");
        const expected no{.status = 403, .body = "no"};
        co_await call(w, client, std::move(refused), no);
      },
      24, 100);
}

TEST(sim_client_states, a_large_body_over_a_narrow_link_under_every_fault) {
  explore(
      [](world& w, http::client& client, const std::string& base, tare::sim::host& server) -> task<> {
        w.set_link(w.here(), server, {.buffer_bytes = 5000});
        auto counted = post(base, "/count");
        counted.body = std::string(large_bytes, 'x');
        const expected all{.status = 200, .body = std::to_string(large_bytes)};
        co_await call(w, client, std::move(counted), all);
        auto echoed = post(base, "/echo");
        echoed.stream = pieces(3, std::string(large_bytes / 3, 'y'));
        const expected echo{.status = 200, .body = "echo: " + std::string(large_bytes, 'y')};
        co_await call(w, client, std::move(echoed), echo);
      },
      2, 300);
}

}  // namespace
