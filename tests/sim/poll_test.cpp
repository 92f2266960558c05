// A long poll under every single fault: the topic keeps nobody who has gone, and a client that gets an event gets the
// right one.

#include "sim/explored.hpp"

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

namespace http = tare::http;

/// Publishes "0" and "1", each when a client waits, or after a while.
task<> publish_two(const world& w, http::topic& news) {
  for (const char* text : {"0", "1"}) {
    for (int i = 0; i < 100 && news.polls() == 0; ++i) co_await tare::sleep_for(1ms);
    const bool published = news.publish({.data = text, .id = text}).has_value();
    EXPECT_TRUE(published || w.fault_may_fail());
  }
}

task<> respond(http::response& to, http::polled got) {
  if (!got) {
    (void)co_await to.status(got.has_gap() ? 410 : 204).send();
    co_return;
  }
  to.set("event-id", got.id());
  (void)co_await to.send("text/plain", got.data());
}

task<> serve_polls(const world& w) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
  if (!listening) {
    EXPECT_TRUE(w.fault_may_fail()) << listening.error().message();
    co_return;
  }
  http::topic news({.history_bytes = 1000});  // aborts the program if a request still waits at its end
  http::router routes;
  routes.get("/next", [&news](http::request& asked, http::response& answer) -> task<> {
    const std::string known(asked.fields().find("last-event-id").value_or(""));
    http::polled got = co_await news.wait_for(asked, known, 1s);
    co_await respond(answer, std::move(got));
  });
  http::server server(std::move(routes));
  co_await tare::when_all(server.serve(std::move(*listening)), publish_two(w, news));
}

/// The response to a poll with that id; its body is the id of the event.
task<std::string> poll(const world& w, http::client& by, std::string url, std::string known) {
  http::client_request asked;
  asked.url = std::move(url);
  if (!known.empty()) asked.fields.add("last-event-id", known);
  auto response = co_await by.send(std::move(asked));
  if (!response) {
    EXPECT_TRUE(w.fault_may_fail()) << response.error().message();
    co_return "";
  }
  const std::string id(response->fields().find("event-id").value_or(""));
  const auto status = response->status();
  auto body = co_await response->read_all();
  if (!body || status != 200) {
    EXPECT_TRUE(w.fault_may_fail()) << status;
    co_return "";
  }
  EXPECT_EQ(*body, id);
  co_return id;
}

task<> follow(world& w) {
  auto& server = w.add_host("server");
  server.spawn(serve_polls(w));
  co_await tare::sleep_for(1ms);
  const std::string url = "http://" + server.address() + "/next";
  http::client client({.call_timeout = 10min});
  const std::string first = co_await poll(w, client, url, "");
  const std::string second = co_await poll(w, client, url, first);
  if (!w.fault_may_fail()) {
    EXPECT_EQ(first, "0");
    EXPECT_EQ(second, "1");
  }
  EXPECT_TRUE(first.empty() || second.empty() || first < second) << "an event came twice";
}

TEST(sim_poll, gets_each_event_once_under_every_fault) {
  tare::sim::explore_options chosen;
  chosen.max_bytes = 40;
  const auto seen = tare::testing::explore_every_fault([](world& w) { return follow(w); }, chosen);
  EXPECT_GT(seen.runs, 300U);
}

}  // namespace
