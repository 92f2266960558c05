// A whole server process: shards, signals, grace, drain, pages for operators, and what ends it.

#include "http/loopback.hpp"
#include "support/faulty_system.hpp"
#include "support/identity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::http::request;
using tare::http::response;
using tare::http::serve_options;
using tare::test::raw_client;
using testing::HasSubstr;
using testing::StartsWith;

task<> say_shard(request& /*request*/, response& to) {
  const std::string text = std::to_string(tare::this_shard());
  (void)co_await to.send("text/plain", text);
}

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"; }

/// Runs a server with one client in the same runtime.
class http_serve : public tare::testing::on_reactors {
 protected:
  using result = tare::net::result<void>;

  /// `client` gets the port. Returns how the server has ended.
  static result serve(tare::http::handler handle, serve_options options, std::function<task<>(std::uint16_t)> client,
                      unsigned shards = 2) {
    tare::runtime rt(on_reactors::options(shards));
    tare::event listening;
    std::uint16_t port = 0;
    options.listen = tare::net::endpoint::loopback(0);
    options.on_listening = [&](const tare::net::endpoint& at) {
      port = at.port();
      listening.set();
    };
    result ended;
    auto ask = [&]() -> task<> {
      co_await listening.wait();
      auto asking = client(port);
      co_await std::move(asking);
    };
    auto body = [&](tare::scope& in) -> task<> {
      in.spawn(ask());
      auto serving = tare::http::serve_until_stopped(std::move(handle), std::move(options));
      ended = co_await std::move(serving);
    };
    auto limited = [&]() -> task<> {
      const auto in_time = co_await tare::timeout(30s, tare::with_scope(body));
      EXPECT_TRUE(in_time.has_value()) << "timed out";
    };
    rt.run(limited());
    return ended;
  }

  static task<std::string> ask(std::uint16_t port, std::string path) {
    auto client = co_await raw_client::connect(port);
    const std::string text = get(path);
    co_await client.send(text);
    co_return co_await client.read_all();
  }

  /// False if the connection is refused or reset.
  static task<bool> accepts(std::uint16_t port) {
    auto connected = co_await tare::net::connect(tare::net::endpoint::loopback(port));
    co_return connected.has_value();
  }
};

TEST_P(http_serve, serves_on_every_shard_until_a_signal) {
  serve_options options;
  options.metrics_path = "/metrics";
  options.metrics = [](const tare::http::serving_figures& of) -> task<std::string> {
    co_return "requests " + std::to_string(of.requests) + "\n";
  };
  std::set<std::string> shards;
  const auto ended = serve(say_shard, std::move(options), [&](std::uint16_t port) -> task<> {
    int requests = 0;
    for (; requests < 500 && shards.size() < 2; ++requests) {
      const std::string got = co_await ask(port, "/");
      shards.insert(got.substr(got.size() - 1));
    }
    const std::string figures = co_await ask(port, "/metrics");
    EXPECT_THAT(figures, HasSubstr("requests " + std::to_string(requests) + "\n"));
    ::raise(SIGTERM);
  });
  EXPECT_TRUE(ended);
  EXPECT_EQ(shards, (std::set<std::string>{"0", "1"}));
}

TEST_P(http_serve, serves_on_for_a_while_and_tells_load_balancers) {
  for (const bool with_second_signal : {false, true}) {
    bool notified = false;
    bool healthy = false;
    serve_options options;
    options.health_path = "/healthz";
    options.is_healthy = [&]() -> task<bool> {
      co_await tare::yield();
      co_return healthy;
    };
    options.grace = with_second_signal ? std::chrono::nanoseconds(1h) : 500ms;
    options.on_stopping = [&] { notified = true; };
    const auto ended = serve(say_shard, std::move(options), [&](std::uint16_t port) -> task<> {
      std::string got = co_await ask(port, "/healthz");
      EXPECT_THAT(got, StartsWith("HTTP/1.1 503 "));
      healthy = true;
      got = co_await ask(port, "/healthz");
      EXPECT_THAT(got, StartsWith("HTTP/1.1 200 "));
      EXPECT_FALSE(notified);
      ::raise(SIGINT);
      for (int i = 0; i < 1000 && !notified; ++i) co_await tare::sleep_for(1ms);
      got = co_await ask(port, "/healthz");
      EXPECT_THAT(got, StartsWith("HTTP/1.1 503 "));
      got = co_await ask(port, "/healthz?verbose");
      EXPECT_THAT(got, StartsWith("HTTP/1.1 503 ")) << "the path decides";
      got = co_await ask(port, "/");
      EXPECT_THAT(got, StartsWith("HTTP/1.1 200 ")) << "others are served";
      if (with_second_signal) ::raise(SIGTERM);
    });
    EXPECT_TRUE(ended);
    EXPECT_TRUE(notified);
  }
}

TEST_P(http_serve, completes_requests_in_progress_but_not_those_that_never_end) {
  std::atomic<int> began = 0;
  auto slow = [&](request& request, response& to) -> task<> {
    ++began;
    co_await tare::sleep_for(request.path() == "/slow" ? 300ms : std::chrono::nanoseconds(1h));
    (void)co_await to.send("text/plain", "done");
  };
  serve_options options;
  options.server.drain_timeout = 1h;
  std::string slow_response;
  const auto ended = serve(slow, std::move(options), [&](std::uint16_t port) -> task<> {
    auto client = co_await raw_client::connect(port);
    auto other = co_await raw_client::connect(port);
    const std::string ask_slow = get("/slow");
    const std::string ask_never = get("/never");
    co_await client.send(ask_slow);
    co_await other.send(ask_never);
    while (began < 2) co_await tare::sleep_for(1ms);
    ::raise(SIGTERM);
    slow_response = co_await client.read_all();
    const bool still_accepts = co_await accepts(port);
    EXPECT_FALSE(still_accepts);
    ::raise(SIGTERM);  // cancels what is left
    (void)co_await other.read_all();
  });
  EXPECT_TRUE(ended);
  EXPECT_THAT(slow_response, StartsWith("HTTP/1.1 200 "));
}

TEST_P(http_serve, stops_in_the_same_way_when_it_is_cancelled) {
  tare::runtime rt(options(2));
  tare::event listening;
  serve_options chosen;
  chosen.listen = tare::net::endpoint::loopback(0);
  chosen.on_listening = [&](const tare::net::endpoint&) { listening.set(); };
  bool was_cancelled = false;
  auto serve = [&]() -> task<> {
    try {
      auto serving = tare::http::serve_until_stopped(say_shard, chosen);
      (void)co_await std::move(serving);
    } catch (const tare::cancelled&) {
      was_cancelled = true;
      throw;
    }
  };
  auto body = [&](tare::scope& in) -> task<> {
    in.spawn(serve());
    co_await listening.wait();
    in.cancel();
  };
  for (int i = 0; i < 3; ++i) {  // the signals and the port are free again
    listening.reset();
    was_cancelled = false;
    rt.run(tare::with_scope(body));
    EXPECT_TRUE(was_cancelled);
  }
}

TEST_P(http_serve, says_why_it_cannot_begin) {
  tare::runtime rt(options(2));
  auto taken = []() -> task<tare::net::listener> {
    co_return tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
  };
  auto cases = [&]() -> task<> {
    auto holder = co_await taken();
    serve_options chosen;
    chosen.listen = *holder.local();
    auto on_a_port_in_use = co_await tare::http::serve_until_stopped(say_shard, chosen);
    EXPECT_EQ(on_a_port_in_use.error(), std::errc::address_in_use);
    chosen.adopted_socket = 1'000'000;
    auto on_no_socket = co_await tare::http::serve_until_stopped(say_shard, chosen);
    EXPECT_EQ(on_no_socket.error(), std::errc::bad_file_descriptor);
    auto signals = tare::net::signal_set::of({SIGINT});
    auto without_signals = co_await tare::http::serve_until_stopped(say_shard, chosen);
    EXPECT_EQ(without_signals.error(), std::errc::device_or_resource_busy);
  };
  rt.run(cases());
  serve_options wrong;
  wrong.health_path = "healthz";
  EXPECT_THROW((void)tare::http::serve_until_stopped(rt, say_shard, wrong), std::invalid_argument);
  wrong = {};
  wrong.metrics_path = "/metrics";
  EXPECT_THROW((void)tare::http::serve_until_stopped(rt, say_shard, wrong), std::invalid_argument);
  wrong = {};
  wrong.metrics = [](const auto&) -> task<std::string> { co_return ""; };
  EXPECT_THROW((void)tare::http::serve_until_stopped(rt, say_shard, wrong), std::invalid_argument);
  wrong = {};
  wrong.is_healthy = []() -> task<bool> { co_return true; };
  EXPECT_THROW((void)tare::http::serve_until_stopped(rt, say_shard, wrong), std::invalid_argument);
}

// The first socket is that of the first shard; whichever of the others fails, all stop, and none is left.
TEST_P(http_serve, stops_everywhere_if_one_shard_cannot_listen) {
  constexpr unsigned shards = 3;
  for (unsigned failing = 0; failing < shards; ++failing) {
    tare::runtime rt(options(shards));
    bool listened = false;
    serve_options chosen;
    chosen.listen = tare::net::endpoint::loopback(0);
    chosen.on_listening = [&](const tare::net::endpoint&) { listened = true; };
    std::deque<int> outcomes(failing, 0);
    outcomes.push_back(-EMFILE);
    tare::testing::faults::script(tare::testing::call::socket, outcomes);
    const auto ended = tare::http::serve_until_stopped(rt, say_shard, chosen);
    tare::testing::faults::none();
    ASSERT_FALSE(ended.has_value()) << failing;
    EXPECT_EQ(ended.error(), std::errc::too_many_files_open);
    EXPECT_FALSE(listened);
    EXPECT_EQ(rt.detached_tasks(), 0U);
  }
}

TEST_P(http_serve, serves_an_adopted_socket_on_its_own_shard) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::listen(fd, 16), 0);  // on a free port of every address
  serve_options options;
  options.adopted_socket = fd;
  const auto ended = serve(say_shard, std::move(options), [&](std::uint16_t port) -> task<> {
    for (int i = 0; i < 20; ++i) {
      const std::string got = co_await ask(port, "/");
      EXPECT_THAT(got, testing::EndsWith("0"));
    }
    ::raise(SIGTERM);
  });
  EXPECT_TRUE(ended);
}

TEST_P(http_serve, reads_its_certificate_again_on_hangup) {
  const auto& identity = support::identity::shared();
  auto context = tare::net::tls::context::server({.certificate = identity.certificate, .key = identity.key});
  ASSERT_TRUE(context);
  serve_options options;
  options.tls = *context;
  std::optional<result> reloaded;
  options.on_reloaded = [&](const result& outcome) { reloaded = outcome; };
  const auto ended = serve(say_shard, std::move(options), [&](std::uint16_t /*port*/) -> task<> {
    ::raise(SIGHUP);
    for (int i = 0; i < 10'000 && !reloaded; ++i) co_await tare::sleep_for(1ms);
    ::raise(SIGTERM);
  });
  EXPECT_TRUE(ended);
  ASSERT_TRUE(reloaded);
  EXPECT_TRUE(reloaded->has_value());
}

TARE_ON_ALL_REACTORS(http_serve);

}  // namespace
