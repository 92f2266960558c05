// Spans of a server and of tasks, and how they reach a collector that is slow, refuses, or is not there.

#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>
#include <tare/tracing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using tare::task;
using tare::tracer;
namespace http = tare::http;

/// A server on a port of its own, which its task keeps.
class running_server {
 public:
  [[nodiscard]] static std::shared_ptr<running_server> start(tare::scope& in, http::handler handle) {
    auto made = std::make_shared<running_server>(std::move(handle));
    auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    made->url = "http://127.0.0.1:" + std::to_string(listening.local()->port());
    in.spawn(serve(made, std::move(listening)));
    return made;
  }
  explicit running_server(http::handler handle) : server_(std::move(handle)) {}
  void stop() { server_.stop(); }
  std::string url;

 private:
  static task<> serve(std::shared_ptr<running_server> self, tare::net::listener listening) {
    (void)co_await self->server_.serve(std::move(listening));
  }
  http::server server_;
};

/// Responds with the given statuses, then with 200, and keeps the spans of the requests it has accepted.
class collector {
 public:
  task<> operator()(http::request& request, http::response& to) {
    auto body = co_await request.body().read_all();
    const unsigned status = next_ < statuses.size() ? statuses[next_] : 200;
    ++next_;
    if (status == 200) {
      const json all = json::parse(*body);
      ++batches;
      for (const json& each : all.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans")) spans.push_back(each);
      resource = all.at("resourceSpans").at(0).at("resource");
    }
    to.status(status);
    (void)co_await to.send("application/json", "{}");
  }

  std::vector<unsigned> statuses;
  std::vector<json> spans;
  json resource;
  int batches = 0;

 private:
  std::size_t next_ = 0;
};

/// Runs `body` with a collector and a tracer that sends to it, and waits until the tracer has ended.
void with_collector(collector& into, tare::tracer_options options,
                    const std::function<task<>(tracer&, tare::scope&)>& body) {
  auto all = [&](tare::scope& servers) -> task<> {
    const auto receiving =
        running_server::start(servers, [&](http::request& request, http::response& to) { return into(request, to); });
    options.service_name = "test";
    if (options.url.ends_with(":4318/v1/traces")) options.url = receiving->url + "/v1/traces";
    tracer tracing(std::move(options));
    auto inside = [&](tare::scope& in) -> task<> {
      in.spawn(tracing.run());
      auto running = [&](tare::scope& own) -> task<> { co_await body(tracing, own); };
      co_await tare::with_scope(running);
      tracing.close();
    };
    co_await tare::with_scope(inside);
    receiving->stop();
  };
  auto limited = [&]() -> task<> {
    const auto in_time = co_await tare::timeout(30s, tare::with_scope(all));
    EXPECT_TRUE(in_time.has_value()) << "timed out";
  };
  tare::run(limited());
}

task<int> work(tracer& tracing, bool fails) {
  auto inner = [](bool throws) -> task<int> {
    co_await tare::yield();
    if (throws) throw std::runtime_error("no luck");
    co_return 7;
  };
  auto in_span = tracing.span("inner", inner(fails));
  co_return co_await std::move(in_span);
}

TEST(tracer, records_spans_of_requests_and_tasks_as_a_tree) {
  collector received;
  std::string seen_downstream;
  with_collector(received, {}, [&](tracer& tracing, tare::scope& in) -> task<> {
    const auto behind = running_server::start(in, [&](http::request& handshake, http::response& to) -> task<> {
      seen_downstream = std::string(handshake.fields().find("traceparent").value_or("none"));
      (void)co_await to.send("");
    });
    http::client client;
    auto reply = [&](http::request& /*request*/, http::response& to) -> task<> {
      auto working = tracing.span("outer", work(tracing, false));
      const int value = co_await std::move(working);
      auto calling = client.get(behind->url + "/");
      (void)co_await std::move(calling);
      const std::string text = std::to_string(value);
      (void)co_await to.send("text/plain", text);
    };
    const auto serving = running_server::start(in, tracing.traced(reply));
    http::client_request handshake{.url = serving->url + "/path?secret=1"};
    handshake.fields.add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    auto got = co_await client.send(std::move(handshake));
    EXPECT_EQ(got->status(), 200U);
    serving->stop();
    behind->stop();
  });
  ASSERT_EQ(received.spans.size(), 3U);
  std::map<std::string, json> by_name;
  for (const json& each : received.spans) by_name[each.at("name")] = each;
  const json& server = by_name.at("GET");
  EXPECT_EQ(server.at("parentSpanId"), "00f067aa0ba902b7") << "the client's";
  EXPECT_EQ(server.at("kind"), 2);
  EXPECT_EQ(server.at("attributes").at(1).at("value").at("stringValue"), "/path") << "without the query";
  EXPECT_EQ(by_name.at("outer").at("parentSpanId"), server.at("spanId"));
  EXPECT_EQ(by_name.at("inner").at("parentSpanId"), by_name.at("outer").at("spanId"));
  for (const json& each : received.spans) {
    EXPECT_EQ(each.at("traceId"), "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_LE(std::stoull(each.at("startTimeUnixNano").get<std::string>()),
              std::stoull(each.at("endTimeUnixNano").get<std::string>()));
    EXPECT_FALSE(each.contains("status"));
  }
  EXPECT_EQ(seen_downstream, "00-4bf92f3577b34da6a3ce929d0e0e4736-" + server.at("spanId").get<std::string>() + "-01");
  EXPECT_EQ(received.resource.at("attributes").at(0).at("value").at("stringValue"), "test");
}

TEST(tracer, records_errors_and_cancellation) {
  collector received;
  with_collector(received, {}, [&](tracer& tracing, tare::scope&) -> task<> {
    auto fails = [&]() -> task<> {
      EXPECT_THROW((void)co_await work(tracing, true), std::runtime_error);
      auto waits = []() -> task<> { co_await tare::sleep_for(1h); };
      const auto late = co_await tare::timeout(5ms, tracing.span("waits", waits()));
      EXPECT_FALSE(late.has_value());
    };
    co_await http::current_trace.with(http::trace_context::make(true), fails());
  });
  ASSERT_EQ(received.spans.size(), 2U);
  EXPECT_EQ(received.spans[0].at("status").at("code"), 2);
  EXPECT_EQ(received.spans[0].at("status").at("message"), "no luck");
  EXPECT_EQ(received.spans[1].at("status").at("message"), "cancelled");
}

TEST(tracer, records_nothing_of_traces_that_are_not_sampled_and_passes_them_on) {
  collector received;
  std::string seen_downstream;
  with_collector(received, {.sampled = 0}, [&](tracer& tracing, tare::scope& in) -> task<> {
    const auto behind = running_server::start(in, [&](http::request& handshake, http::response& to) -> task<> {
      seen_downstream = std::string(handshake.fields().find("traceparent").value_or("none"));
      (void)co_await to.send("");
    });
    http::client client;
    auto reply = [&](http::request& /*request*/, http::response& to) -> task<> {
      (void)co_await work(tracing, false);
      auto calling = client.get(behind->url + "/");
      (void)co_await std::move(calling);
      (void)co_await to.send("");
    };
    const auto serving = running_server::start(in, tracing.traced(reply));
    for (int i = 0; i < 20; ++i) {
      auto asking = client.get(serving->url + "/");
      (void)co_await std::move(asking);
    }
    serving->stop();
    behind->stop();
    const int outside = co_await work(tracing, false);
    EXPECT_EQ(outside, 7) << "without a trace";
  });
  EXPECT_EQ(received.spans.size(), 0U);
  EXPECT_TRUE(seen_downstream.ends_with("-00")) << seen_downstream;
}

task<> record(tracer& tracing, int spans) {
  auto all = [&]() -> task<> {
    for (int i = 0; i < spans; ++i) (void)co_await work(tracing, false);
  };
  co_await http::current_trace.with(http::trace_context::make(true), all());
}

TEST(tracer, sends_in_batches_after_a_while_or_when_there_are_many) {
  collector received;
  with_collector(received, {.max_batch = 10, .interval = 50ms}, [&](tracer& tracing, tare::scope&) -> task<> {
    co_await record(tracing, 25);
    for (int i = 0; i < 10'000 && tracing.sent() < 25; ++i) co_await tare::sleep_for(1ms);
    EXPECT_EQ(tracing.sent(), 25U) << "without being closed";
  });
  EXPECT_EQ(received.spans.size(), 25U);
  EXPECT_EQ(received.batches, 3);
}

TEST(tracer, tries_again_what_may_pass_and_drops_what_may_not) {
  collector received;
  received.statuses = {503, 400, 200};
  with_collector(received, {.max_batch = 1, .interval = 1ms}, [&](tracer& tracing, tare::scope&) -> task<> {
    co_await record(tracing, 1);
    for (int i = 0; i < 10'000 && tracing.dropped() == 0; ++i) co_await tare::sleep_for(1ms);
    EXPECT_EQ(tracing.dropped(), 1U) << "503 is tried again, 400 is not";
    co_await record(tracing, 1);
  });
  EXPECT_EQ(received.spans.size(), 1U);
}

TEST(tracer, never_waits_and_drops_what_does_not_fit) {
  collector received;
  std::uint64_t dropped = 0;
  with_collector(received, {.url = "http://127.0.0.1:1/v1/traces", .max_queued = 4, .interval = 1h},
                 [&](tracer& tracing, tare::scope&) -> task<> {
                   co_await record(tracing, 1000);
                   dropped = tracing.dropped();
                   tracing.close();
                   co_await record(tracing, 1);
                   EXPECT_EQ(tracing.dropped(), dropped + 1) << "after close";
                 });
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(received.spans.size(), 0U);
}

TEST(tracer, ends_at_once_when_it_is_cancelled_in_whatever_it_does) {
  // Waiting for the first span; for more of a batch; for a collector that does not respond; to try again.
  for (const char* const state : {"first", "more", "silent", "again"}) {
    const std::string in_state = state;
    tare::event reached;
    auto all = [&](tare::scope& servers) -> task<> {
      const auto receiving =
          running_server::start(servers, [&](http::request& /*request*/, http::response& to) -> task<> {
            reached.set();
            if (in_state == "silent") co_await tare::sleep_for(1h);
            to.status(503);
            (void)co_await to.send("");
          });
      tracer tracing({.service_name = "test",
                      .url = receiving->url + "/v1/traces",
                      .max_batch = in_state == "more" ? 2U : 1U,
                      .interval = 1h});
      auto sending = tare::spawn_handle(tracing.run());
      if (in_state != "first") co_await record(tracing, 1);
      if (in_state == "silent" || in_state == "again") co_await reached.wait();
      co_await tare::sleep_for(20ms);
      sending.cancel();
      EXPECT_THROW(co_await sending, tare::task_cancelled) << state;
      EXPECT_EQ(tracing.sent(), 0U);
      EXPECT_LE(tracing.dropped(), 1U);
      receiving->stop();
      servers.cancel();
    };
    auto limited = [&]() -> task<> {
      const auto in_time = co_await tare::timeout(30s, tare::with_scope(all));
      EXPECT_TRUE(in_time.has_value()) << state << " timed out";
    };
    tare::run(limited());
  }
}

TEST(tracer, refuses_impossible_options) {
  EXPECT_THROW(tracer({}), std::invalid_argument);
  EXPECT_THROW(tracer({.service_name = "a", .sampled = 1.5}), std::invalid_argument);
  EXPECT_THROW(tracer({.service_name = "a", .max_batch = 0}), std::invalid_argument);
}

}  // namespace
