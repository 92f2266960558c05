// The access log of an HTTP server under every single fault: no request is reported twice, and none that had a handler
// is missing.

#include "sim/explored.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

bool is_cancelled(const std::exception_ptr& thrown) {
  try {
    if (thrown) std::rethrow_exception(thrown);
  } catch (const tare::cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
  return false;
}

/// Checked when the server is gone.
struct tally {
  std::size_t bodies = 0;   ///< handlers that have begun
  std::size_t entries = 0;  ///< requests with a head
  std::size_t untold = 0;   ///< those whose handlers have not begun, according to the log

  tally() = default;
  tally(const tally&) = delete;
  tally& operator=(const tally&) = delete;
  ~tally() {
    EXPECT_LE(bodies, entries) << "a request is missing";
    EXPECT_LE(entries - untold, bodies) << "a request is there twice";
  }

  void note(const http::access_entry& of) {
    EXPECT_FALSE(is_cancelled(of.exception) && of.error == std::errc::not_enough_memory)
        << "a cancellation is no lack of memory";
    if (of.method.empty()) return;
    ++entries;
    // There was no memory, or the event stream was cancelled before its handler.
    if (of.exception || of.target == "/events") ++untold;
    EXPECT_TRUE(of.status != 0 || of.error) << of.target;
    EXPECT_TRUE(of.status == 0 || of.bytes > 0) << of.target;
    EXPECT_GE(of.duration, 0s);
  }
};

task<> serve_logged(const world& w) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  tally counted;
  http::router routes;
  routes.get("/whole", [&counted](http::request& /*asked*/, http::response& answer) -> task<> {
    ++counted.bodies;
    (void)co_await answer.send("text/plain", "whole");
  });
  routes.get("/pieces", [&counted](http::request& asked, http::response& answer) -> task<> {
    ++counted.bodies;
    asked.discard();
    for (int i = 0; i < 2; ++i) {
      auto sent = co_await answer.write("piece ");
      if (!sent) co_return;
      co_await tare::sleep_for(1ms);
    }
  });
  routes.events("/events", [&counted](http::event_stream out) -> task<> {
    ++counted.bodies;
    (void)co_await out.send("news");
  });
  http::server server(std::move(routes),
                      {.on_response = [&counted](const http::access_entry& of) { counted.note(of); }});
  (void)co_await server.serve(std::move(*listening));
}

task<> ask(http::client& by, std::string url) {
  http::client_request sent;
  sent.url = std::move(url);
  auto response = co_await by.send(std::move(sent));
  if (response) (void)co_await response->read_all();
}

task<> ask_all(world& w) {
  auto& server = w.add_host("server");
  server.spawn(serve_logged(w));
  co_await tare::sleep_for(1ms);
  const std::string base = "http://" + server.address();
  http::client client({.call_timeout = 10min});
  co_await ask(client, base + "/whole");
  co_await ask(client, base + "/pieces");
  co_await ask(client, base + "/events");
}

TEST(sim_access_log, has_each_request_once_under_every_fault) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 40;
  const auto seen = tare::testing::explore_every_fault([](world& w) { return ask_all(w); }, chosen);
  EXPECT_GT(seen.runs, 300U);
}

}  // namespace
