// Hosts that talk to each other over the simulated network, in every state of a connection.

#include "sim/echo.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <string>

namespace {

using namespace tare::testing;  // NOLINT(google-build-using-namespace): the helpers of these tests
using tare::task;
using tare::sim::world;

TEST(sim_network, a_client_talks_to_a_server_on_another_host) {
  tare::sim::run_seeds(20, {}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    auto with = co_await connect_to(server);
    const std::string text(3000, 'x');
    const auto got = co_await exchange(with, text);
    EXPECT_EQ(got.value_or("?"), text);
  });
}

TEST(sim_network, names_of_hosts_are_resolved) {
  tare::sim::run({}, [](world& w) -> task<> {
    w.add_host("server").spawn(serve_echo(80));
    co_await tare::sleep_for(1ms);
    auto with = co_await tare::net::connect("server", "80");
    EXPECT_TRUE(with.has_value()) << with.error().message();
    if (!with) co_return;
    const auto got = co_await exchange(*with, "by name");
    EXPECT_EQ(got.value_or("?"), "by name");
    const auto unknown = co_await tare::net::resolve("nobody", "80");
    EXPECT_FALSE(unknown.has_value());
  });
}

TEST(sim_network, bytes_take_the_time_of_the_link) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    w.set_link(w.here(), server, {.latency = 50ms, .jitter = 0ns});
    const auto began = tare::now();
    auto with = co_await connect_to(server);
    EXPECT_GE(tare::now() - began, 100ms);
    const auto connected = tare::now();
    (void)co_await exchange(with, "x");
    EXPECT_GE(tare::now() - connected, 100ms);
    EXPECT_LE(tare::now() - connected, 110ms);
  });
}

TEST(sim_network, a_slow_link_takes_its_time_and_limits_what_is_under_way) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    w.set_link(w.here(), server, {.bytes_per_second = 100'000, .buffer_bytes = 8192});
    auto with = co_await connect_to(server);
    const auto began = tare::now();
    const std::string text(50'000, 'x');
    std::size_t received = 0;
    // Written while the echo is read: both sides would wait for room otherwise.
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([&]() -> task<> {
        const auto sent = co_await with.write(bytes_of(text));
        EXPECT_TRUE(sent.has_value());
      });
      while (received < text.size()) {
        auto got = co_await with.read();
        if (!got || got->empty()) break;
        received += got->bytes().size();
      }
    });
    EXPECT_EQ(received, text.size());
    EXPECT_GE(tare::now() - began, 500ms);
  });
}

TEST(sim_network, a_partition_delays_and_heals) {
  tare::sim::run_seeds(10, {}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    auto with = co_await connect_to(server);
    w.partition(w.here(), server);
    const auto during = co_await tare::timeout(30s, exchange(with, "lost"));
    EXPECT_FALSE(during.has_value());
    w.heal();
    const auto later = co_await read_bytes(with, 4);
    EXPECT_EQ(later.value_or("?"), "lost");
  });
}

TEST(sim_network, a_partition_that_lasts_ends_the_connection_of_the_sender) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    auto with = co_await connect_to(server);
    w.partition_one_way(w.here(), server);
    const auto began = tare::now();
    const auto got = co_await exchange(with, "never");
    expect_error(got, std::errc::timed_out);
    EXPECT_GE(tare::now() - began, 900s);
    EXPECT_LE(tare::now() - began, 1100s);
  });
}

TEST(sim_network, nobody_listens_or_nobody_is_there) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& server = w.add_host("server");
    const auto refused = co_await tare::net::connect(port_of(server));
    expect_error(refused, std::errc::connection_refused);
    w.partition(w.here(), server);
    const auto began = tare::now();
    const auto lost = co_await tare::net::connect(port_of(server));
    expect_error(lost, std::errc::timed_out);
    EXPECT_GE(tare::now() - began, 100s);
  });
}

TEST(sim_network, a_reset_ends_both_sides) {
  tare::sim::run_seeds(10, {}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    auto with = co_await connect_to(server);
    (void)co_await exchange(with, "first");
    w.reset_connections(w.here(), server);
    const auto got = co_await with.read();
    expect_error(got, std::errc::connection_reset);
  });
}

TEST(sim_network, half_close_passes_the_end_in_one_direction) {
  tare::sim::run_seeds(10, {}, [](world& w) -> task<> {
    auto& server = w.add_host("server");
    server.spawn([]() -> task<> {
      auto listening = tare::net::listener::bind(tare::net::endpoint::any(9));
      auto with = co_await listening->accept();
      const auto got = co_await read_bytes(*with, SIZE_MAX);
      const std::string count = std::to_string(got.value().size());
      (void)co_await with->write(bytes_of(count));
    });
    co_await tare::sleep_for(1ms);
    auto with = co_await connect_to(server, 9);
    (void)co_await with.write(bytes_of(std::string(5000, 'x')));
    EXPECT_TRUE(with.shutdown_write().has_value());
    const auto answer = co_await read_bytes(with, SIZE_MAX);
    EXPECT_EQ(answer.value_or("?"), "5000");
  });
}

TEST(sim_network, a_host_without_descriptors_accepts_later) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    server.limit_descriptors(server.open_descriptors());
    auto with = co_await connect_to(server);
    const auto during = co_await tare::timeout(1s, exchange(with, "abc"));
    EXPECT_FALSE(during.has_value());
    server.limit_descriptors(100);
    auto got = co_await with.read();
    EXPECT_TRUE(got.has_value() && !got->empty());
  });
}

TEST(sim_network, a_full_backlog_delays_new_connections) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& server = w.add_host("server");
    server.spawn([]() -> task<> {
      auto listening = tare::net::listener::bind(tare::net::endpoint::any(7), {.backlog = 1});
      co_await tare::sleep_for(10s);
      for (;;) {
        auto accepted = co_await listening->accept();
        tare::spawn(echo_stream(std::move(*accepted)));
      }
    });
    co_await tare::sleep_for(1ms);
    int connected = 0;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 5; ++i) {
        s.spawn([&]() -> task<> {
          auto with = co_await tare::net::connect(port_of(w.at("server")));
          if (with) ++connected;
        });
      }
      co_await tare::sleep_for(5s);
      EXPECT_EQ(connected, 2);
    });
    EXPECT_EQ(connected, 5);
  });
}

/// What arrived before the silence, and what arrives after its end, are one stream.
TEST(sim_network, a_write_that_is_cut_by_silence_is_whole_after_its_end) {
  tare::sim::explore_options only_cuts;
  only_cuts.cancel_awaits = only_cuts.refuse_allocations = only_cuts.split_reads = only_cuts.delay_wakes = false;
  only_cuts.failed = [] { return ::testing::Test::HasFailure(); };
  std::set<std::size_t> arrived_in_silence;
  const auto seen = tare::sim::explore(only_cuts, [&](world& w) -> task<> {
    const std::string sent = "0123456789";
    auto& server = *co_await start_echo(w);
    auto with = co_await connect_to(server);
    const auto written = co_await with.write(bytes_of(sent));
    EXPECT_TRUE(written.has_value() || w.fault_may_fail());
    std::string got;
    while (got.size() < sent.size()) {
      auto more = co_await tare::timeout(10s, with.read());
      if (!more) {
        arrived_in_silence.insert(got.size());
        w.heal();
        continue;
      }
      if (!*more || (*more)->empty()) break;
      got.append(reinterpret_cast<const char*>((*more)->bytes().data()), (*more)->size());
    }
    EXPECT_TRUE(sent.starts_with(got)) << got;
  });
  EXPECT_GT(seen.writes.tried, 20U);
  EXPECT_GT(arrived_in_silence.size(), 5U) << "nothing arrives before the silence";
}

TEST(sim_network, a_host_that_crashes_is_silent_and_refuses_after_its_restart) {
  tare::sim::run_seeds(10, {}, [](world& w) -> task<> {
    auto& server = *co_await start_echo(w);
    auto with = co_await connect_to(server);
    (void)co_await exchange(with, "alive");
    server.crash();
    const auto silent = co_await tare::timeout(10s, exchange(with, "dead"));
    EXPECT_FALSE(silent.has_value());
    server.restart();
    const auto got = co_await with.read();
    expect_error(got, std::errc::connection_reset);
    server.spawn(serve_echo());
    co_await tare::sleep_for(1ms);
    auto again = co_await connect_to(server);
    const auto answer = co_await exchange(again, "back");
    EXPECT_EQ(answer.value_or("?"), "back");
  });
}

TEST(sim_network, datagrams_arrive_are_lost_or_arrive_twice) {
  int received = 0;
  tare::sim::run({.twice = false}, [&](world& w) -> task<> {
    auto& server = w.add_host("server");
    w.set_link(w.here(), server, {.lost_datagrams = 4});
    server.spawn([&]() -> task<> {
      auto bound = tare::net::udp_socket::bind(tare::net::endpoint::any(53));
      std::array<std::byte, 100> into{};
      for (;;) {
        auto got = co_await bound->receive_from(into);
        if (got && got->size == 3) ++received;
      }
    });
    co_await tare::sleep_for(1ms);
    auto from = tare::net::udp_socket::bind(tare::net::endpoint::parse("0.0.0.0:0").value());
    for (int i = 0; i < 1000; ++i) (void)co_await from->send_to(bytes_of("abc"), port_of(server, 53));
    co_await tare::sleep_for(1s);
  });
  EXPECT_GT(received, 700);
  EXPECT_LT(received, 1000);
}

}  // namespace
