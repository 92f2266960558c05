// The reference service as a whole: its handlers, server and database on a simulated disk, ten clients for a minute, a
// network that breaks, crashes, and a drain. What a client was told is stored, is stored, whatever happens.

#include "service.hpp"

#include "handlers.hpp"

#include <tare/db.hpp>
#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

constexpr int clients = 10;
constexpr auto duration = 60s;

/// What the clients know; it outlives the hosts.
struct knowledge {
  std::map<std::int64_t, std::string> stored;  ///< what a response has confirmed
  std::uint64_t responses = 0;
  std::uint64_t failures = 0;  ///< requests without a response
  bool stopping = false;
  bool ended = false;  ///< `serve` has returned
  http::server* server = nullptr;
};
knowledge known;

/// What main.cpp does, without signals.
task<> serve(tare::runtime& in) {
  auto database = tare::db::pool::open("sqlite:/data/items.db", {.connections = 4});
  EXPECT_TRUE(database);
  if (!database) co_return;
  service::application app(in, service::catalogue(*std::move(database), false));
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  EXPECT_TRUE(listening);
  if (!listening) co_return;
  http::server server(service::make_routes(app), service::server_options(false));
  known.server = &server;
  auto prepare_and_serve = [&](tare::scope& preparing) -> task<> {
    preparing.spawn(service::prepare(app, false));
    auto serving = server.serve(std::move(*listening));
    (void)co_await std::move(serving);
    preparing.cancel();
  };
  co_await tare::with_scope(prepare_and_serve);
  known.server = nullptr;
  co_await app.items.database().close();
  known.ended = true;
}

/// The body of a response with one of these statuses; 503 is always one of them.
task<std::optional<std::string>> ask(http::client& by, http::client_request request, unsigned expected,
                                     unsigned also = 503) {
  auto response = co_await by.send(std::move(request));
  if (!response) {
    ++known.failures;
    co_return std::nullopt;
  }
  const unsigned status = response->status();
  auto body = co_await response->read_all();
  if (!body) {
    ++known.failures;
    co_return std::nullopt;
  }
  ++known.responses;
  EXPECT_TRUE(status == expected || status == also || status == 503) << status << ": " << *body;
  if (status != expected) co_return std::nullopt;
  co_return std::move(*body);
}

task<> add_item(http::client& by, const std::string& base, std::string name) {
  http::client_request request;
  request.method = "POST";
  request.url = base + "/items";
  request.fields.add("content-type", "application/json");
  request.body = nlohmann::json{{"name", name}, {"price", 1}}.dump();
  // 409: the client has sent it again, because the first response was lost.
  const auto body = co_await ask(by, std::move(request), 201, 409);
  if (!body) co_return;
  const auto made = nlohmann::json::parse(*body);
  EXPECT_EQ(made.at("name"), name);
  const auto id = made.at("id").get<std::int64_t>();
  EXPECT_FALSE(known.stored.contains(id)) << "two items have the id " << id;
  known.stored[id] = std::move(name);
}

/// An item that a response has confirmed is there.
task<> look_up(http::client& by, const std::string& base, std::int64_t id, std::string name) {
  http::client_request request;
  request.url = base + "/items/" + std::to_string(id);
  const auto body = co_await ask(by, std::move(request), 200);
  if (!body) co_return;
  EXPECT_EQ(nlohmann::json::parse(*body).at("name"), name);
}

task<> be_client(world& w, std::string base, int number) {
  http::client by({.call_timeout = 20s});
  const auto end = tare::now() + duration;
  for (int i = 0; tare::now() < end && !known.stopping; ++i) {
    if (known.stored.empty() || w.random_below(2) == 0) {
      std::string name = std::to_string(number) + "-" + std::to_string(i);
      co_await add_item(by, base, std::move(name));
    } else {
      auto any = known.stored.begin();
      std::advance(any, static_cast<std::ptrdiff_t>(w.random_below(known.stored.size())));
      co_await look_up(by, base, any->first, any->second);
    }
    co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(2000)));
  }
}

/// A partition, resets or a slow link, now and then.
task<> disturb(world& w, tare::sim::host& server) {
  for (;;) {
    co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(10'000)));
    switch (w.random_below(3)) {
      case 0:
        w.partition(w.here(), server);
        co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(5000)));
        w.heal();
        break;
      case 1:
        w.reset_connections(w.here(), server);
        break;
      default: {
        tare::sim::link_options slow;
        slow.latency = std::chrono::milliseconds(w.random_below(300));
        slow.buffer_bytes = 500 + w.random_below(5000);
        w.set_link(w.here(), server, slow);
        break;
      }
    }
  }
}

/// Runs the clients; each of these may happen meanwhile.
struct happenings {
  bool disturbed = false;
  bool crashes = false;
};

task<> crash_and_restart(world& w, tare::sim::host& server) {
  co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(50'000)));
  server.crash();
  co_await tare::sleep_for(std::chrono::milliseconds(w.random_below(3000)));
  server.restart();
  server.spawn(serve(*server.system()));
}

task<> run_clients(world& w, tare::sim::host& server, happenings what) {
  const std::string base = "http://" + server.address();
  co_await tare::with_scope([&](tare::scope& disturbing) -> task<> {
    if (what.disturbed) disturbing.spawn(disturb(w, server));
    if (what.crashes) disturbing.spawn(crash_and_restart(w, server));
    co_await tare::with_scope([&](tare::scope& asking) -> task<> {
      for (int i = 0; i < clients; ++i) asking.spawn(be_client(w, base, i));
      co_return;
    });
    disturbing.cancel();
  });
  w.heal();
}

task<> live(world& w, happenings what) {
  known = {};
  auto& server = w.add_host("server");
  server.disk().make_directory("/data");
  server.spawn(serve(*server.system()));
  co_await tare::sleep_for(1s);
  co_await run_clients(w, server, what);
  EXPECT_GT(known.responses, 50U);
  EXPECT_GT(known.stored.size(), 20U);
  if (!what.disturbed && !what.crashes) {
    EXPECT_EQ(known.failures, 0U);
  }
  // All of them are there afterwards.
  const tare::sim::link_options normal;
  w.set_link(w.here(), server, normal);
  http::client by({.call_timeout = 20s});
  for (const auto& [id, name] : known.stored) co_await look_up(by, "http://" + server.address(), id, name);
}

TEST(sim_service, serves_ten_clients_for_a_minute) {
  tare::sim::run_seeds(5, {}, [](world& w) { return live(w, {}); });
}

TEST(sim_service, loses_nothing_when_the_network_breaks) {
  tare::sim::run_seeds(5, {}, [](world& w) { return live(w, {.disturbed = true}); });
}

TEST(sim_service, loses_nothing_when_it_crashes) {
  tare::sim::run_seeds(5, {}, [](world& w) { return live(w, {.disturbed = true, .crashes = true}); });
}

/// The server stops while clients are busy: each request gets its response, and `serve` returns.
task<> drain(world& w) {
  known = {};
  auto& server = w.add_host("server");
  server.disk().make_directory("/data");
  server.spawn(serve(*server.system()));
  co_await tare::sleep_for(1s);
  const std::string base = "http://" + server.address();
  co_await tare::with_scope([&](tare::scope& asking) -> task<> {
    for (int i = 0; i < clients; ++i) asking.spawn(be_client(w, base, i));
    co_await tare::sleep_for(std::chrono::milliseconds(1000 + w.random_below(5000)));
    known.stopping = true;
    server.spawn([]() -> task<> {
      if (known.server != nullptr) known.server->stop();
      co_return;
    });
  });
  for (int i = 0; i < 200 && !known.ended; ++i) co_await tare::sleep_for(100ms);
  EXPECT_TRUE(known.ended) << "the server does not end";
}

TEST(sim_service, drains) { tare::sim::run_seeds(20, {}, drain); }

}  // namespace
