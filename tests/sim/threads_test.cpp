// Threads, time and determinism in simulations.

#include "sim/echo.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace tare::testing;  // NOLINT(google-build-using-namespace): the helpers of these tests
using tare::task;
using tare::sim::world;

TEST(sim_time, an_hour_passes_in_no_time) {
  const auto began = std::chrono::steady_clock::now();
  tare::sim::run({}, [](world& /*w*/) -> task<> {
    const auto before = tare::now();
    co_await tare::sleep_for(1h);
    EXPECT_GE(tare::now() - before, 1h);
    EXPECT_LE(tare::now() - before, 1h + 10ms);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
}

TEST(sim_time, the_clocks_of_hosts_differ) {
  tare::sim::run({}, [](world& w) -> task<> {
    static std::chrono::steady_clock::time_point shown;
    static std::chrono::nanoseconds slept;
    auto& fast = w.add_host("fast", {.clock_offset = 10s, .clock_drift_ppm = 100'000});
    const auto here = tare::now();
    fast.spawn([]() -> task<> {
      shown = tare::now();
      co_await tare::sleep_for(100s);
      slept = tare::now() - shown;
    });
    co_await tare::sleep_for(1ms);
    EXPECT_GE(shown - here, 10s);
    EXPECT_LE(shown - here, 11s);
    co_await tare::sleep_for(92s);
    EXPECT_GE(slept, 100s);
    fast.set_clock(1h);
    fast.spawn([]() -> task<> {
      shown = tare::now();
      co_return;
    });
    co_await tare::sleep_for(1ms);
    EXPECT_GE(shown - here, 1h);
  });
}

TEST(sim_threads, offload_runs_beside_the_shard) {
  tare::sim::run_seeds(20, {}, [](world& /*w*/) -> task<> {
    int result = 0;
    bool other_ran = false;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([&]() -> task<> {
        result = co_await tare::offload([] {
          std::this_thread::sleep_for(10s);
          return 42;
        });
        EXPECT_TRUE(other_ran);
      });
      s.spawn([&]() -> task<> {
        co_await tare::sleep_for(1s);
        other_ran = true;
      });
      co_return;
    });
    EXPECT_EQ(result, 42);
  });
}

TEST(sim_threads, shards_of_a_host_exchange_tasks) {
  tare::sim::run_seeds(50, {}, [](world& w) -> task<> {
    static int visited;
    static std::atomic<bool> done;
    visited = 0;
    done = false;
    auto& host = w.add_host("host", {.shards = 3});
    host.spawn([]() -> task<> {
      for (tare::shard_id to : {1U, 2U, 0U, 2U, 1U}) {
        co_await tare::resume_on(static_cast<tare::shard_id>(to));
        EXPECT_EQ(tare::this_shard(), to);
        ++visited;
      }
      done = true;
    });
    while (!done) co_await tare::sleep_for(1ms);
    EXPECT_EQ(visited, 5);
  });
}

TEST(sim_threads, a_task_or_an_event_wakes_a_host_that_sleeps) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& host = w.add_host("host");
    tare::event begun;
    tare::event set_by_the_scenario;
    tare::event set_by_the_host;
    host.spawn([&]() -> task<> {
      begun.set();
      co_await set_by_the_scenario.wait();
      set_by_the_host.set();
    });
    co_await begun.wait();
    co_await tare::sleep_for(1s);
    set_by_the_scenario.set();
    co_await set_by_the_host.wait();
    co_await tare::sleep_for(1s);
    tare::event spawned_later;
    host.spawn([&]() -> task<> {
      spawned_later.set();
      co_return;
    });
    co_await spawned_later.wait();
  });
}

TEST(sim_threads, threads_locks_and_thread_locals_of_the_program) {
  tare::sim::run_seeds(20, {}, [](world& /*w*/) -> task<> {
    static thread_local int own = 7;
    std::mutex lock;
    std::condition_variable changed;
    std::vector<int> seen;
    int turn = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        own += i;
        std::unique_lock guard(lock);
        changed.wait(guard, [&] { return turn == i; });
        EXPECT_EQ(own, 7 + i);
        seen.push_back(i);
        ++turn;
        changed.notify_all();
      });
    }
    for (auto& each : threads) each.join();
    EXPECT_EQ(seen, (std::vector{0, 1, 2, 3}));
    EXPECT_EQ(own, 7);
    co_return;
  });
}

TEST(sim_threads, exceptions_of_one_thread_do_not_meet_those_of_another) {
  tare::sim::run_seeds(20, {}, [](world& /*w*/) -> task<> {
    const auto throw_and_wait = [](int number) {
      try {
        throw number;
      } catch (int) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10 - number));
        try {
          throw;
        } catch (int caught) {
          EXPECT_EQ(caught, number);
        }
      }
    };
    std::thread one(throw_and_wait, 1);
    std::thread other(throw_and_wait, 2);
    one.join();
    other.join();
    co_return;
  });
}

/// Two shards and a pool of clients: enough for any difference to show.
task<> busy(world& w) {
  auto& server = w.add_host("server", {.shards = 2});
  server.spawn(serve_echo());
  co_await tare::sleep_for(1ms);
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 0; i < 3; ++i) {
      s.spawn([&, i]() -> task<> {
        auto with = co_await tare::net::connect(port_of(server));
        if (!with) co_return;
        const std::string text(static_cast<std::size_t>(100 * (i + 1)), 'x');
        const auto got = co_await exchange(*with, text);
        EXPECT_EQ(got.value_or("?"), text);
        co_await tare::offload([] { std::this_thread::yield(); });
      });
    }
    co_return;
  });
}

TEST(sim_determinism, the_same_seed_makes_the_same_run_200_times) {
  const auto first = tare::sim::run({.seed = 7, .twice = false}, busy);
  EXPECT_GT(first.steps, 100U);
  for (int i = 0; i < 200; ++i) {
    const auto again = tare::sim::run({.seed = 7, .twice = false}, busy);
    EXPECT_EQ(again.hash, first.hash) << i;
    EXPECT_EQ(again.steps, first.steps);
  }
}

TEST(sim_determinism, different_seeds_make_different_runs) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    hashes.insert(tare::sim::run({.seed = seed, .twice = false}, busy).hash);
  }
  EXPECT_GE(hashes.size(), 100U);
}

TEST(sim_determinism, a_scenario_that_depends_on_more_than_the_seed_is_found) {
  int runs = 0;
  try {
    tare::sim::run({}, [&](world& /*w*/) -> task<> {
      if (++runs == 2) co_await tare::sleep_for(1s);
      co_await tare::sleep_for(1s);
    });
    FAIL() << "not found";
  } catch (const tare::sim::failure& found) {
    EXPECT_NE(std::string(found.what()).find("first step that differs"), std::string::npos) << found.what();
  }
}

TEST(sim_failure, what_can_never_run_again_is_reported) {
  try {
    tare::sim::run({.seed = 3}, [](world& /*w*/) -> task<> {
      tare::mutex lock;
      auto held = co_await lock.lock();
      auto again = co_await lock.lock();
    });
    FAIL() << "not found";
  } catch (const tare::sim::failure& found) {
    const std::string text = found.what();
    EXPECT_NE(text.find("nothing can ever run again"), std::string::npos) << text;
    EXPECT_NE(text.find("TARE_SIM_SEED=3"), std::string::npos) << text;
  }
  // The next simulation is not affected.
  tare::sim::run({}, busy);
}

TEST(sim_failure, a_deadlock_of_threads_is_found_by_some_seed) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    try {
      tare::sim::run({.seed = seed, .twice = false}, [](world& /*w*/) -> task<> {
        // On the heap, because the threads stay when they are stuck.
        auto& a = *new std::mutex;
        auto& b = *new std::mutex;
        std::thread one([&] {
          const std::scoped_lock outer(a);
          const std::scoped_lock inner(b);
        });
        std::thread other([&] {
          const std::scoped_lock outer(b);
          const std::scoped_lock inner(a);
        });
        one.join();
        other.join();
        delete &a;
        delete &b;
        co_return;
      });
    } catch (const tare::sim::failure&) {
      ++found;
    }
  }
  EXPECT_GT(found, 10);
  EXPECT_LT(found, 190);
}

TEST(sim_failure, an_endless_scenario_is_ended) {
  EXPECT_THROW(tare::sim::run({.twice = false, .time_limit = 1h},
                              [](world& /*w*/) -> task<> {
                                for (;;) co_await tare::sleep_for(1s);
                              }),
               tare::sim::failure);
  EXPECT_THROW(tare::sim::run({.twice = false, .time_limit = 24h * 10'000, .real_limit = 1s},
                              [](world& /*w*/) -> task<> {
                                for (;;) co_await tare::yield();
                              }),
               tare::sim::failure);
}

TEST(sim_failure, errors_of_the_scenario_and_of_hosts_come_out) {
  EXPECT_THROW(tare::sim::run({},
                              [](world& /*w*/) -> task<> {
                                co_await tare::sleep_for(1s);
                                throw std::domain_error("mine");
                              }),
               std::domain_error);
  EXPECT_THROW(tare::sim::run({},
                              [](world& w) -> task<> {
                                w.add_host("host").spawn([]() -> task<> {
                                  co_await tare::sleep_for(1s);
                                  throw std::domain_error("of a host");
                                });
                                co_await tare::sleep_for(2s);
                              }),
               std::domain_error);
  EXPECT_THROW(tare::sim::run({},
                              [](world& w) -> task<> {
                                co_await tare::sleep_for(1s);
                                w.fail("an invariant");
                              }),
               tare::sim::failure);
}

TEST(sim_failure, a_leak_is_reported) {
  try {
    tare::sim::run({.twice = false}, [](world& /*w*/) -> task<> {
      (void)::socket(AF_INET, SOCK_STREAM, 0);
      co_return;
    });
    FAIL() << "not found";
  } catch (const tare::sim::failure& found) {
    EXPECT_NE(std::string(found.what()).find("descriptors are still open"), std::string::npos) << found.what();
  }
  try {
    tare::sim::run({.twice = false}, [](world& /*w*/) -> task<> {
      task<> never = [](world* /*unused*/) -> task<> { co_return; }(nullptr);
      static std::vector<task<>> kept;
      kept.push_back(std::move(never));
      co_return;
    });
    FAIL() << "not found";
  } catch (const tare::sim::failure& found) {
    EXPECT_NE(std::string(found.what()).find("frames or records are left"), std::string::npos) << found.what();
  }
}

TEST(sim_refused, real_calls_abort_with_their_name) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto calling = [](auto call) {
    tare::sim::run({.seed = 5}, [&](world& /*w*/) -> task<> {
      call();
      co_return;
    });
  };
  EXPECT_DEATH(calling([] { (void)::socket(AF_NETLINK, SOCK_RAW, 0); }), "a socket of this family is not simulated");
  EXPECT_DEATH(calling([] { (void)::open("/proc/self/oom_score_adj", O_WRONLY); }),
               "open of /proc/self/oom_score_adj is not simulated");
  EXPECT_DEATH(calling([] { (void)::opendir("/tmp"); }), "opendir is not simulated");
  EXPECT_DEATH(calling([] { (void)::fork(); }), "fork is not simulated");
  EXPECT_DEATH(calling([] {
                 char byte = 0;
                 (void)!::read(0, &byte, 1);
               }),
               "read is not simulated");
  // NOLINTNEXTLINE(bugprone-command-processor): it is refused
  EXPECT_DEATH(calling([] { (void)::popen("true", "r"); }), "popen is not simulated");
  EXPECT_DEATH(calling([] {
                 passwd user{};
                 std::array<char, 100> buffer{};
                 passwd* found = nullptr;
                 (void)::getpwuid_r(0, &user, buffer.data(), buffer.size(), &found);
               }),
               "getpwuid_r, .*is not simulated");
  EXPECT_DEATH(calling([] { std::abort(); }), "TARE_SIM_SEED=5");
}

}  // namespace
