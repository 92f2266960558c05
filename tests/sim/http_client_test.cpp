// The client against servers that follow scripts: early, late, slow, endless and wrong responses, and connections that
// have something left over.

#include "sim/scripted_server.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;
using tare::testing::listen_and_play;
using tare::testing::long_bytes;
using tare::testing::ok;
using tare::testing::server_script;
using tare::testing::tls_client_context;

namespace http = tare::http;

struct call_result {
  std::error_code error;
  unsigned status = 0;
  std::string body;
  std::chrono::nanoseconds lasted{0};
};

task<call_result> call(http::client& by, http::client_request request) {
  call_result made;
  const auto begun = tare::now();
  auto response = co_await by.send(std::move(request));
  if (response) {
    made.status = response->status();
    auto body = co_await response->read_all();
    if (body) {
      made.body = *body;
    } else {
      made.error = body.error();
    }
  } else {
    made.error = response.error();
  }
  made.lasted = tare::now() - begun;
  co_return made;
}

/// A client and a scripted server.
struct stage {
  std::unique_ptr<http::client> client;
  std::string base;
  std::shared_ptr<int> connections = std::make_shared<int>(0);
  tare::sim::host* server = nullptr;

  [[nodiscard]] http::client_request get() const {
    http::client_request made;
    made.url = base + "/";
    return made;
  }
};

task<stage> set_stage(world& w, server_script what, bool secret, http::client_options options) {
  stage made;
  made.server = &w.add_host("server");
  made.server->spawn(listen_and_play(std::move(what), secret, made.connections));
  if (secret) options.tls = tls_client_context();
  made.base = secret ? "https://server:80" : "http://server:80";
  made.client = std::make_unique<http::client>(std::move(options));
  co_await tare::sleep_for(1ms);
  co_return made;
}

// An overload, because g++ 12 destroys default arguments of an awaited call twice.
task<stage> set_stage(world& w, server_script what, bool secret) {
  return set_stage(w, std::move(what), secret, http::client_options());
}

/// Runs it with several seeds, over TCP and over TLS.
void both_ways(std::uint64_t seeds, const std::function<task<>(world&, bool)>& body) {
  (void)tare::testing::server_identity::shared();
  for (const bool secret : {false, true}) {
    tare::sim::run_seeds(seeds, {.twice = false}, [&](world& w) -> task<> { co_await body(w, secret); });
  }
}

struct wrong_response {
  std::string name;
  std::vector<tare::testing::script_step> sent;
};

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

std::vector<wrong_response> wrong_responses() {
  return {
      {"a switch that nobody asked for", {{.bytes = "HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"}}},
      {"interim responses without end", {{.bytes = repeated("HTTP/1.1 103 Early\r\n\r\n", 40) + ok}}},
      {"no response", {{.bytes = "220 smtp ready\r\n\r\n"}}},
      {"two lengths", {{.bytes = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!"}}},
      {"a length that is no number", {{.bytes = "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nok"}}},
      {"a chunk size that is no number", {{.bytes = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"}}},
  };
}

TEST(sim_http_client, refuses_wrong_responses) {
  for (const wrong_response& tried : wrong_responses()) {
    both_ways(3, [&](world& w, bool secret) -> task<> {
      server_script script;
      script.responses = tried.sent;
      auto on = co_await set_stage(w, script, secret);
      const auto got = co_await call(*on.client, on.get());
      EXPECT_TRUE(static_cast<bool>(got.error)) << tried.name << ": " << got.status << " " << got.body;
      EXPECT_LT(got.lasted, 1s) << tried.name;
    });
  }
}

TEST(sim_http_client, has_limits_for_slow_servers) {
  std::vector<server_script> slow(3);
  for (int i = 0; i < 500; ++i)
    slow[0].responses.push_back({.bytes = i == 0 ? "HTTP/1.1 200 OK\r\nx: " : "x", .pause = 7s});
  for (int i = 0; i < 500; ++i) slow[1].responses.push_back({.bytes = "HTTP/1.1 103 Early\r\n\r\n", .pause = 7s});
  for (const server_script& tried : slow) {
    both_ways(2, [&](world& w, bool secret) -> task<> {
      auto on = co_await set_stage(w, tried, secret);
      const auto got = co_await call(*on.client, on.get());
      EXPECT_TRUE(static_cast<bool>(got.error));
      EXPECT_GE(got.lasted, 29s);
      EXPECT_LT(got.lasted, 35s);
    });
  }
}

TEST(sim_http_client, ends_a_call_in_its_time_in_every_state) {
  std::vector<server_script> slow(3);
  for (int i = 0; i < 500; ++i) {
    slow[1].responses.push_back(
        {.bytes = i == 0 ? "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" : "x", .pause = 1s});
  }
  slow[2].read_pause = 1h;
  slow[2].reads_bodies = false;
  for (const server_script& tried : slow) {
    both_ways(2, [&](world& w, bool secret) -> task<> {
      http::client_options options;
      options.call_timeout = 5s;
      options.max_connections_per_host = 1;
      auto on = co_await set_stage(w, tried, secret, std::move(options));
      // The second one waits for the first one's connection.
      auto first = tare::spawn_handle([&on]() -> task<> {
        auto request = on.get();
        request.method = "POST";
        request.body = std::string(long_bytes, 'x');
        const auto got = co_await call(*on.client, std::move(request));
        EXPECT_EQ(got.error, std::errc::timed_out) << got.error.message();
        EXPECT_LT(got.lasted, 6s);
      });
      co_await tare::sleep_for(1s);
      http::client_request other = on.get();
      const auto got = co_await call(*on.client, std::move(other));
      EXPECT_EQ(got.error, std::errc::timed_out) << got.error.message();
      EXPECT_LT(got.lasted, 6s);
      co_await first;
    });
  }
}

TEST(sim_http_client, waits_longer_for_others_connections_than_for_nothing) {
  // The holder of the only connection never ends; the others give up on time.
  both_ways(2, [](world& w, bool secret) -> task<> {
    http::client_options options;
    options.call_timeout = 40s;
    options.read_timeout = 1h;
    options.max_connections_per_host = 1;
    const server_script script;
    auto on = co_await set_stage(w, script, secret, std::move(options));
    auto first = tare::spawn_handle([&on]() -> task<> { (void)co_await call(*on.client, on.get()); });
    co_await tare::sleep_for(20s);
    http::client_options short_options;
    const auto got = co_await tare::timeout(1h, call(*on.client, on.get()));
    EXPECT_TRUE(got.has_value());
    if (got) {
      EXPECT_LT(got->lasted, 41s);
    }
    co_await first;
  });
}

/// What has been left on a connection must not reach the next request.
TEST(sim_http_client, gives_no_request_what_was_left_of_another) {
  const std::string evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
  std::vector<server_script> leaving(4);
  leaving[0].responses = {{.bytes = ok + evil}};
  leaving[1].responses = {{.bytes = ok, .pause = 5ms}, {.bytes = evil}};
  leaving[2].responses = {{.bytes = ok + evil.substr(0, 3)}};
  leaving[3].responses = {
      {.bytes = ok, .pause = 5ms}, {.bytes = evil.substr(0, 20), .pause = 100ms}, {.bytes = evil.substr(20)}};
  for (auto& tried : leaving) {
    tried.first_only = true;
    both_ways(10, [&](world& w, bool secret) -> task<> {
      auto on = co_await set_stage(w, tried, secret);
      const auto first = co_await call(*on.client, on.get());
      EXPECT_EQ(first.body, "ok");
      co_await tare::sleep_for(50ms);
      const auto second = co_await call(*on.client, on.get());
      EXPECT_EQ(second.body, "ok") << second.error.message();
      EXPECT_EQ(*on.connections, 2);
    });
  }
}

TEST(sim_http_client, replaces_a_kept_connection_that_its_server_has_closed) {
  for (const bool late : {false, true}) {
    server_script closing;
    closing.responses = {{.bytes = ok}};
    closing.first_only = true;
    closing.closes = !late;
    closing.closes_late = late;
    both_ways(20, [&](world& w, bool secret) -> task<> {
      auto on = co_await set_stage(w, closing, secret);
      const auto first = co_await call(*on.client, on.get());
      EXPECT_EQ(first.body, "ok");
      if (w.random_below(2) == 0) co_await tare::sleep_for(std::chrono::microseconds(w.random_below(2000)));
      const auto second = co_await call(*on.client, on.get());
      EXPECT_EQ(second.body, "ok") << second.error.message();
    });
  }
}

TEST(sim_http_client, does_not_reuse_a_connection_that_has_switched) {
  server_script switching;
  switching.responses = {{.bytes = "HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"}};
  switching.first_only = true;
  both_ways(5, [&](world& w, bool secret) -> task<> {
    auto on = co_await set_stage(w, switching, secret);
    {
      auto request = on.get();
      request.fields.set("upgrade", "x");
      auto response = co_await on.client->send(std::move(request));
      EXPECT_TRUE(response.has_value());
      if (!response) co_return;
      EXPECT_EQ(response->status(), 101U);
      EXPECT_EQ(on.client->idle_connections(), 0U);
      if (w.random_below(2) == 0) {
        const auto taken = response->take_stream();
      }
    }
    EXPECT_EQ(on.client->idle_connections(), 0U);
    const auto second = co_await call(*on.client, on.get());
    EXPECT_EQ(second.body, "ok") << second.error.message();
  });
}

TEST(sim_http_client, knows_a_host_that_it_has_not_used_for_long) {
  both_ways(3, [](world& w, bool secret) -> task<> {
    server_script script;
    script.responses = {{.bytes = ok}};
    script.first_only = true;
    auto on = co_await set_stage(w, script, secret);
    for (int i = 0; i < 5; ++i) {
      const auto got = co_await call(*on.client, on.get());
      EXPECT_EQ(got.body, "ok") << got.error.message();
      co_await tare::sleep_for(i % 2 == 0 ? 2min : 1s);
      http::client_request unknown;
      unknown.url = "http://nowhere-" + std::to_string(i) + "/";
      const auto none = co_await call(*on.client, std::move(unknown));
      EXPECT_TRUE(static_cast<bool>(none.error));
    }
  });
}

http::client_request upload(const stage& on) {
  auto made = on.get();
  made.method = "POST";
  made.body = std::string(long_bytes, 'u');
  return made;
}

void narrow_link(world& w, tare::sim::host& server) {
  const tare::sim::link_options link{.buffer_bytes = 8U << 10U};
  w.set_link(w.here(), server, link);
}

TEST(sim_http_client, uploads_to_a_server_that_always_takes_a_little) {
  both_ways(2, [](world& w, bool secret) -> task<> {
    server_script script;
    script.responses = {{.bytes = ok}};
    script.read_pause = 2s;
    auto on = co_await set_stage(w, script, secret);
    narrow_link(w, *on.server);
    const auto got = co_await call(*on.client, upload(on));
    EXPECT_EQ(got.body, "ok") << got.error.message();
    EXPECT_GT(got.lasted, 60s);
  });
}

TEST(sim_http_client, hears_a_response_that_comes_before_the_end_of_the_request) {
  const std::string refusal = "HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno";
  server_script early;
  early.reads_bodies = false;
  early.responses = {{.bytes = refusal, .pause = 1h}};
  both_ways(3, [&](world& w, bool secret) -> task<> {
    auto on = co_await set_stage(w, early, secret);
    narrow_link(w, *on.server);
    const auto got = co_await call(*on.client, upload(on));
    EXPECT_EQ(got.status, 413U) << got.error.message();
    EXPECT_LT(got.lasted, 5s);
    // A body whose pieces come slowly is not asked for any more.
    auto request = on.get();
    request.method = "POST";
    int pieces = 0;
    request.stream = [&pieces]() -> task<std::string_view> {
      ++pieces;
      co_await tare::sleep_for(1s);
      co_return "piece";
    };
    const auto stopped = co_await tare::timeout(20s, call(*on.client, std::move(request)));
    EXPECT_TRUE(stopped && stopped->status == 413U);
    EXPECT_LE(pieces, 3);
  });
}

}  // namespace
