// Runtimes that begin and end beside, inside and under each other, with tasks and messages on their way; and arguments
// at the ends of their ranges.

#include "sim/on_shards.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;
using tare::testing::on_shards;
using tare::testing::shards;
using tare::testing::some_time;

task<int> after_a_while(std::chrono::microseconds time, int result) {
  co_await tare::sleep_for(time);
  co_return result;
}

/// Everything that a thread's state is needed for, before and after something else has used the thread.
task<> use_everything() {
  const auto here = tare::this_shard();
  EXPECT_EQ(co_await after_a_while(10us, 7), 7);
  co_await tare::yield();
  tare::mutex m;
  {
    const auto guard = co_await m.lock();
  }
  int ran = 0;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 0; i < 5; ++i) {
      s.spawn([&ran]() -> task<> {
        co_await tare::sleep_for(10us);
        ++ran;
      });
    }
    co_return;
  });
  EXPECT_EQ(ran, 5);
  EXPECT_EQ(co_await tare::offload([] { return 3; }), 3);
  co_await tare::resume_on((here + 1) % shards);
  co_await tare::resume_on(here);
  EXPECT_EQ(tare::this_shard(), here);
}

/// What a task may do with another runtime, in the middle of its own work.
void use_another_runtime(std::uint64_t how) {
  switch (how) {
    case 0: {
      const tare::runtime unused({.shards = 2});
      break;
    }
    case 1: {
      tare::runtime other({.shards = 2});
      for (const tare::shard_id on : {0U, 1U}) {
        other.spawn_on(on, []() -> task<> { co_await tare::sleep_for(1h); });
      }
      break;
    }
    case 2:
      EXPECT_THROW((void)tare::run(after_a_while(1us, 1)), std::logic_error);
      break;
    case 3: {
      tare::runtime other;
      EXPECT_THROW((void)other.run(after_a_while(1us, 1)), std::logic_error);
      break;
    }
    default: {
      // On a thread of its own it is allowed.
      int got = 0;
      std::thread([&] { got = tare::run(after_a_while(1ms, 5)); }).join();
      EXPECT_EQ(got, 5);
    }
  }
}

TEST(sim_lifecycle, a_runtime_in_a_task_leaves_the_task_as_it_was) {
  on_shards(60, [](world& w) -> task<> {
    for (int i = 0; i < 4; ++i) {
      co_await tare::resume_on(static_cast<tare::shard_id>(w.random_below(shards)));
      co_await use_everything();
      use_another_runtime(w.random_below(5));
      co_await use_everything();
    }
  });
}

/// A runtime whose end meets tasks, cancellations and messages in all states.
void begin_and_end(world& w, bool background) {
  tare::runtime rt({.shards = 2, .background = background});
  std::vector<std::shared_ptr<tare::handle<void>>> handles;
  const auto start = [&w, &handles]() -> task<> {
    for (int i = 0; i < 4; ++i) {
      const auto time = some_time(w, 300);
      const auto to = static_cast<tare::shard_id>(w.random_below(2));
      auto run = [time, to]() -> task<> {
        co_await tare::resume_on(to);
        co_await tare::sleep_for(time);
      };
      handles.push_back(std::make_shared<tare::handle<void>>(tare::spawn_handle(std::move(run))));
    }
    co_await tare::sleep_for(some_time(w, 300));
  };
  rt.run(start());
  // From this thread, while they may be ending.
  for (const auto& each : handles) {
    if (w.random_below(2) == 0) each->cancel();
  }
  if (w.random_below(2) == 0) {
    EXPECT_EQ(rt.run(after_a_while(some_time(w, 100), 9)), 9);
  }
}

TEST(sim_lifecycle, a_runtime_ends_whatever_is_under_way) {
  tare::sim::run_seeds(200, {}, [](world& w) -> task<> {
    const bool background = w.random_below(2) == 0;
    std::thread([&w, background] { begin_and_end(w, background); }).join();
    co_return;
  });
}

TEST(sim_lifecycle, the_tasks_of_a_runtime_in_the_background_need_no_run) {
  tare::sim::run_seeds(20, {}, [](world& /*w*/) -> task<> {
    std::thread([] {
      std::atomic<int> ran = 0;
      tare::runtime rt({.shards = 2, .background = true});
      for (tare::shard_id i = 0; i < 4; ++i) {
        rt.spawn_on(i % 2, [&ran]() -> task<> {
          co_await tare::sleep_for(1ms);
          ++ran;
        });
      }
      for (int i = 0; i < 100 && ran < 4; ++i) std::this_thread::sleep_for(1ms);
      EXPECT_EQ(ran, 4);
      EXPECT_EQ(rt.run(after_a_while(1us, 2)), 2);
    }).join();
    co_return;
  });
}

TEST(sim_lifecycle, time_is_known_to_every_thread) {
  tare::sim::run({}, [](world& /*w*/) -> task<> {
    std::chrono::steady_clock::time_point seen;
    std::thread([&] { seen = tare::now(); }).join();
    EXPECT_GE(seen, tare::now() - 1s);
    EXPECT_LE(seen, tare::now() + 1s);
    co_return;
  });
}

TEST(sim_lifecycle, tasks_that_never_began_end_however_deep) {
  tare::sim::run({.twice = false}, [](world& /*w*/) -> task<> {
    struct nested {
      static task<> hold(std::vector<task<>> /*inner*/) { co_return; }
    };
    task<> outer = nested::hold({});
    for (int i = 0; i < 20'000; ++i) {
      std::vector<task<>> inner;
      inner.push_back(std::move(outer));
      outer = nested::hold(std::move(inner));
    }
    co_return;
  });
}

TEST(sim_lifecycle, groups_of_nothing) {
  tare::sim::run({}, [](world& /*w*/) -> task<> {
    co_await tare::when_all();
    std::vector<task<int>> none;
    const auto all = co_await tare::when_all(std::move(none));
    EXPECT_TRUE(all.empty());
    bool refused = false;
    try {
      std::vector<task<int>> empty;
      (void)co_await tare::when_any(std::move(empty));
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    tare::scope s;
    co_await s.join();
  });
}

TEST(sim_lifecycle, work_goes_to_the_shard_that_has_less) {
  on_shards(30, [](world& w) -> task<> {
    const auto how = w.random_below(3);
    std::array<int, shards> on{};
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      const auto sleeps = []() -> task<> { co_await tare::sleep_for(1h); };
      const auto wanders = []() -> task<> {
        co_await tare::resume_on(1);
        co_await tare::sleep_for(1h);
      };
      for (int i = 0; i < 60; ++i) {
        // Those that come to shard 1, and those that have left it again.
        if (how == 0) s.spawn_on(1, sleeps());
        if (how == 1) tare::spawn(wanders());
        if (how == 2) {
          tare::spawn_on(2, []() -> task<> {
            co_await tare::resume_on(1);
            co_await tare::sleep_for(1h);
          });
        }
      }
      co_await tare::sleep_for(10ms);
      for (int i = 0; i < 60; ++i) {
        s.spawn_balanced([&on]() -> task<> {
          ++on.at(tare::this_shard());
          co_await tare::sleep_for(1h);
        });
      }
      co_await tare::sleep_for(10ms);
      s.cancel();
    });
    // The choice is between two at random: the busy one is never the better one.
    EXPECT_LE(on[1], 15) << "way " << how;
    EXPECT_GE(on[0], 15) << "way " << how;
    EXPECT_GE(on[2], 15) << "way " << how;
  });
}

TEST(sim_limits, of_times) {
  constexpr auto most = std::chrono::nanoseconds::max();
  for (const auto time : {most, most - 1ns, most - 1s, most / 2, most - most / 1024, most - most / 4096}) {
    tare::sim::run({.twice = false}, [time](world& /*w*/) -> task<> {
      auto sleeping = tare::spawn_handle([time]() -> task<> { co_await tare::sleep_for(time); });
      auto timed = tare::spawn_handle([time]() -> task<> {
        (void)co_await tare::timeout(time, []() -> task<> { co_await tare::sleep_for(2h); }());
      });
      co_await tare::sleep_for(1h);
      EXPECT_FALSE(sleeping.has_ended());
      EXPECT_FALSE(timed.has_ended());
      co_await timed;
      sleeping.cancel();
    });
  }
}

TEST(sim_limits, of_intervals) {
  using clock = std::chrono::steady_clock;
  for (const auto policy : {tare::missed_ticks::burst, tare::missed_ticks::skip, tare::missed_ticks::delay}) {
    for (const auto period : {clock::duration(1), clock::duration(1h), clock::duration::max() / 2,
                              clock::duration::max() - 1s, clock::duration::max()}) {
      tare::sim::run({.twice = false}, [=](world& /*w*/) -> task<> {
        tare::interval ticks(period, policy);
        EXPECT_GE(ticks.next(), tare::now() - 1ms);
        const auto due = ticks.next();
        auto first = tare::spawn_handle([&ticks]() -> task<> { co_await ticks.tick(); });
        co_await tare::sleep_for(1ms);
        EXPECT_GE(ticks.next(), due) << "the time of the next tick is before that of this one";
        EXPECT_EQ(first.has_ended(), period < 1s);
        first.cancel();
      });
    }
  }
}

TEST(sim_limits, of_permits) {
  tare::sim::run({}, [](world& /*w*/) -> task<> {
    constexpr std::size_t half = std::numeric_limits<std::size_t>::max() / 2;
    for (const std::size_t count : {half - 1, half, half + 1, std::numeric_limits<std::size_t>::max()}) {
      tare::semaphore few(3);
      const auto much = few.try_acquire(count);
      EXPECT_FALSE(static_cast<bool>(much)) << count;
      EXPECT_EQ(few.available(), 3U);
      const auto in_time = co_await few.try_acquire_for(1ms, count);
      EXPECT_FALSE(static_cast<bool>(in_time)) << count;
      tare::semaphore many(count);
      const auto taken = many.try_acquire(2);
      EXPECT_TRUE(static_cast<bool>(taken));
      EXPECT_GE(many.available(), half - 3);
    }
  });
}

}  // namespace
