// The number of tasks that a shard counts, whatever has happened to them, and how spawn_balanced uses it.

#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// The load that each shard of the current runtime reports.
std::vector<std::int64_t> loads() {
  tare::detail::runtime_core& runtime = tare::detail::shard::current().runtime();
  std::vector<std::int64_t> seen;
  for (unsigned i = 0; i < runtime.shard_count(); ++i) seen.push_back(runtime.shard_at(i).load());
  return seen;
}

constexpr unsigned shards = 3;

/// Tasks that count themselves on their shard, and move at random.
struct wanderers {
  std::array<std::atomic<std::int64_t>, shards> here{};

  task<> wander(unsigned seed) {
    std::mt19937 random(seed);
    ++here.at(tare::this_shard());
    const unsigned moves = static_cast<unsigned>(random()) % 5;
    for (unsigned i = 0; i < moves; ++i) {
      const unsigned to = static_cast<unsigned>(random()) % shards;
      --here.at(tare::this_shard());
      co_await tare::resume_on(to);
      ++here.at(tare::this_shard());
      if (static_cast<unsigned>(random()) % 2 == 0) co_await tare::yield();
    }
    co_await tare::sleep_for(1h);
    --here.at(tare::this_shard());
  }
  task<> parent(unsigned seed) {
    // Branches and children of a scope count on their shard too.
    co_await tare::with_scope([&, seed](tare::scope& s) -> task<> {
      s.spawn(wander(seed));
      s.spawn_on(seed % shards, wander(seed + 1));
      co_return;
    });
  }
};

TEST(balanced, the_load_of_a_shard_is_the_number_of_its_tasks) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    wanderers all;
    tare::runtime rt({.shards = shards, .clock = tare::clock_kind::virtual_time});
    auto body = [&]() -> task<> {
      std::mt19937 random(seed);
      for (unsigned i = 0; i < 200; ++i) {
        switch (static_cast<unsigned>(random()) % 4) {
          case 0:
            tare::spawn(all.wander(static_cast<unsigned>(random())));
            break;
          case 1:
            tare::spawn_on(static_cast<unsigned>(random()) % shards, all.wander(static_cast<unsigned>(random())));
            break;
          case 2:
            tare::spawn_balanced(all.wander(static_cast<unsigned>(random())));
            break;
          default:
            co_await tare::when_all(all.wander(static_cast<unsigned>(random())),
                                    []() -> task<> { co_await tare::sleep_for(1ms); }());
        }
        if (seed % 2 == 0 && i % 50 == 0) tare::spawn(all.parent(static_cast<unsigned>(random())));
      }
      co_await tare::sleep_for(1min);  // the other tasks sleep for an hour
      std::vector<std::int64_t> expected;
      for (const auto& each : all.here) expected.push_back(each.load());
      std::vector<std::int64_t> seen = loads();
      seen.at(0) -= 1;  // this task
      // With even seeds there are parents, whose bodies wait and are tasks that `expected` does not count.
      if (seed % 2 != 0) {
        EXPECT_EQ(seen, expected) << "seed " << seed;
      }
      co_await tare::sleep_for(10h);
      seen = loads();
      EXPECT_EQ(seen, (std::vector<std::int64_t>{1, 0, 0})) << "seed " << seed;
    };
    rt.run(body());
  }
}

TEST(balanced, goes_to_the_less_busy_of_two_shards) {
  // Whatever made the other shard busy: detached tasks, tasks of a scope, or tasks that have moved there.
  for (int way = 0; way < 3; ++way) {
    std::array<std::atomic<int>, 2> on{};
    auto counted = [](std::array<std::atomic<int>, 2>& where) -> task<> {
      ++where.at(tare::this_shard());
      co_await tare::sleep_for(1h);
    };
    auto sleeps = []() -> task<> { co_await tare::sleep_for(1h); };
    auto moves = [](unsigned to) -> task<> {
      co_await tare::resume_on(to);
      co_await tare::sleep_for(1h);
    };
    auto body = [&]() -> task<> {
      auto busy = [&](tare::scope& s) -> task<> {
        for (int i = 0; i < 100; ++i) {
          if (way == 0) tare::spawn_on(1, sleeps());
          if (way == 1) s.spawn_on(1, sleeps());
          if (way == 2) tare::spawn(moves(1));
        }
        co_await tare::sleep_for(1s);
        for (int i = 0; i < 90; ++i) tare::spawn_balanced(counted(on));
        co_await tare::sleep_for(1s);
        s.cancel();
      };
      co_await tare::with_scope(busy);
    };
    tare::runtime rt({.shards = 2, .clock = tare::clock_kind::virtual_time});
    rt.run(body());
    EXPECT_EQ(on[0], 90) << "way " << way;
    EXPECT_EQ(on[1], 0) << "way " << way;
  }
}

TEST(balanced, counts_right_after_tasks_have_ended_elsewhere) {
  std::array<std::atomic<int>, 2> on{};
  auto counted = [](std::array<std::atomic<int>, 2>& where) -> task<> {
    ++where.at(tare::this_shard());
    co_await tare::sleep_for(1h);
  };
  auto moves = [](unsigned to) -> task<> { co_await tare::resume_on(to); };
  auto body = [&]() -> task<> {
    for (int i = 0; i < 2000; ++i) tare::spawn(moves(1));
    co_await tare::sleep_for(1s);
    for (int i = 0; i < 400; ++i) tare::spawn_balanced(counted(on));
    co_await tare::sleep_for(1s);
  };
  tare::runtime rt({.shards = 2, .clock = tare::clock_kind::virtual_time});
  rt.run(body());
  EXPECT_NEAR(on[0], 200, 1);
  EXPECT_NEAR(on[1], 200, 1);
}

}  // namespace
