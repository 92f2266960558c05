#pragma once

// A server with handlers of all kinds, on a host of a simulation.

#include "sim/on_shards.hpp"
#include "sim/server_identity.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tare::testing {

inline constexpr std::size_t long_bytes = 600'000;

[[nodiscard]] inline net::tls::context tls_server_context(net::tls::server_options options = {}) {
  const auto& own = server_identity::shared();
  options.certificate = own.certificate;
  options.key = own.key;
  return net::tls::context::server(options).value();
}

[[nodiscard]] inline net::tls::context tls_client_context() {
  return net::tls::context::client({.authorities = server_identity::shared().certificate}).value();
}

inline void add_plain_routes(http::router& routes) {
  using http::request;
  using http::response;
  routes.get("/short",
             [](request& /*asked*/, response& answer) -> task<> { (void)co_await answer.send("text/plain", "short"); });
  routes.get("/long", [](request& /*asked*/, response& answer) -> task<> {
    (void)co_await answer.send("text/plain", std::string(long_bytes, 'L'));
  });
  routes.post("/echo", [](request& asked, response& answer) -> task<> {
    auto body = co_await asked.body().read_all();
    if (body) (void)co_await answer.send("text/plain", *body);
  });
  routes.post("/ignore", [](request& /*asked*/, response& answer) -> task<> {
    (void)co_await answer.send("text/plain", "ignored");
  });
  routes.get("/field", [](request& asked, response& answer) -> task<> {
    (void)co_await answer.send("text/plain", "[" + std::string(asked.fields().find("x").value_or("-")) + "]");
  });
  routes.get("/slow", [](request& /*asked*/, response& answer) -> task<> {
    co_await sleep_for(std::chrono::seconds(2));
    (void)co_await answer.send("text/plain", "slow");
  });
}

/// Handlers whose sends are cut off by a time limit, and which go on regardless.
inline void add_routes_that_give_up(http::router& routes) {
  using http::request;
  using http::response;
  routes.get("/cut", [](request& /*asked*/, response& answer) -> task<> {
    const std::string first(long_bytes, 'A');
    (void)co_await timeout(std::chrono::milliseconds(50), answer.send("text/plain", first));
    answer.status(503);
    (void)co_await answer.send("text/plain", "BBBB");
    (void)co_await answer.write("BBBB");
    (void)co_await answer.finish();
  });
  routes.get("/cut-pieces", [](request& /*asked*/, response& answer) -> task<> {
    const std::string piece(long_bytes / 4, 'A');
    for (int i = 0; i < 4; ++i) (void)co_await timeout(std::chrono::milliseconds(20), answer.write(piece));
    (void)co_await answer.finish();
  });
  routes.get("/socket", [](request& asked, response& answer) -> task<> {
    auto socket = co_await http::websocket::accept(asked, answer);
    if (!socket) co_return;
    const std::string first(long_bytes, 'A');
    (void)co_await timeout(std::chrono::milliseconds(50), socket->send_binary(first));
    (void)co_await socket->send_text("BBBB");
    (void)co_await timeout(std::chrono::milliseconds(50), socket->receive());
    (void)co_await socket->ping("BB");
  });
  routes.get("/socket-echo", [](request& asked, response& answer) -> task<> {
    auto socket = co_await http::websocket::accept(asked, answer);
    if (!socket) co_return;
    while (auto got = co_await socket->receive()) {
      const auto sent = co_await socket->send(got->kind, got->data);
      if (!sent) co_return;
    }
  });
  routes.get("/socket-long", [](request& asked, response& answer) -> task<> {
    auto socket = co_await http::websocket::accept(asked, answer);
    if (!socket) co_return;
    const std::string text(long_bytes, 'W');
    for (;;) {
      const auto sent = co_await socket->send_binary(text);
      if (!sent) co_return;
    }
  });
}

/// A server on a host, until the world ends or it is stopped.
struct running_server {
  std::shared_ptr<http::server> server;
  std::shared_ptr<bool> has_ended;
  sim::host* on = nullptr;
  net::endpoint at;
};

inline task<running_server> start_server(sim::world& w, http::server_options options = {},
                                         std::optional<net::tls::context> with = {}, sim::host_options of = {}) {
  http::router routes;
  add_plain_routes(routes);
  add_routes_that_give_up(routes);
  if (!options.on_error) options.on_error = [](const std::exception_ptr& /*error*/) {};
  running_server made;
  made.on = &w.add_host("server", of);
  made.server = std::make_shared<http::server>(std::move(routes), std::move(options));
  made.has_ended = std::make_shared<bool>(false);
  made.at = net::endpoint::parse(made.on->address() + ":80").value();
  made.on->spawn([serving = made.server, ended = made.has_ended, with]() -> task<> {
    auto listening = net::listener::bind(net::endpoint::any(80));
    if (listening && with) {
      auto context = *with;
      (void)co_await serving->serve(std::move(*listening), std::move(context));
    } else if (listening) {
      (void)co_await serving->serve(std::move(*listening));
    }
    *ended = true;
  });
  co_await sleep_for(std::chrono::milliseconds(1));
  co_return made;
}

}  // namespace tare::testing
