// Runtimes whose shard 0 has its own thread.

#include <tare/snapshot.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::clock_kind;
using tare::task;

class background : public ::testing::TestWithParam<std::tuple<unsigned, clock_kind>> {
 protected:
  [[nodiscard]] static unsigned shards() { return std::get<0>(GetParam()); }
  [[nodiscard]] static tare::runtime_options options() {
    return {.shards = shards(), .clock = std::get<1>(GetParam()), .background = true};
  }
};
INSTANTIATE_TEST_SUITE_P(options, background,
                         ::testing::Combine(::testing::Values(1U, 2U, 4U),
                                            ::testing::Values(clock_kind::real, clock_kind::virtual_time)));

task<> holds(tare::mutex& lock) {
  auto held = co_await lock.lock();
  co_await tare::sleep_for(10ms);
}

TEST_P(background, runs_give_their_results_and_errors) {
  tare::runtime rt(options());
  const auto caller = std::this_thread::get_id();
  auto body = [&](int n) -> task<int> {
    EXPECT_NE(std::this_thread::get_id(), caller);
    EXPECT_EQ(tare::this_shard(), 0U);
    co_await tare::sleep_for(1ms);
    if (n < 0) throw std::invalid_argument("below zero");
    co_return n;
  };
  EXPECT_EQ(rt.run(body(7)), 7);
  EXPECT_THROW(rt.run(body(-1)), std::invalid_argument);
  EXPECT_EQ(rt.run(body(8)), 8);
}

TEST_P(background, tasks_go_on_between_runs) {
  tare::mutex lock;
  std::atomic<bool> has_it = false;
  tare::runtime rt(options());
  auto wants = [&](unsigned on) -> task<> {
    co_await tare::resume_on(on);
    auto held = co_await lock.lock();
    has_it = true;
  };
  auto start = [&]() -> task<> {
    tare::spawn(holds(lock));
    co_await tare::yield();
    tare::spawn(wants(shards() - 1));
  };
  rt.run(start());
  for (int i = 0; i < 10'000 && !has_it; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(has_it);
}

TEST_P(background, spawned_tasks_need_no_run) {
  std::atomic<unsigned> ran = 0;
  auto mark = [&]() -> task<> {
    co_await tare::sleep_for(1ms);
    ++ran;
  };
  tare::runtime rt(options());
  for (unsigned i = 0; i < 100; ++i) rt.spawn_on(i % shards(), mark());
  for (int i = 0; i < 10'000 && ran < 100; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(ran, 100U);
}

TEST_P(background, many_threads_may_run_at_once) {
  tare::runtime rt(options());
  tare::semaphore turns{1};
  std::atomic<int> sum = 0;
  auto body = [&](int n) -> task<int> {
    auto turn = co_await turns.acquire();
    co_await tare::sleep_for(1ms);
    co_return n;
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      for (int n = 0; n < 5; ++n) sum += rt.run(body(i));
    });
  }
  for (std::thread& each : callers) each.join();
  EXPECT_EQ(sum, 28 * 5);
}

TEST_P(background, a_snapshot_is_taken_from_every_shard) {
  tare::runtime rt(options());
  for (unsigned on = 0; on < shards(); ++on) {
    auto takes = [](unsigned where) -> task<std::size_t> {
      co_await tare::resume_on(where);
      co_return (co_await tare::snapshot()).shards.size();
    };
    EXPECT_EQ(rt.run(takes(on)), shards());
  }
  EXPECT_EQ(rt.memory().promised(), 0U);
}

TEST_P(background, it_ends_while_it_is_busy) {
  std::atomic<int> alive = 0;
  auto works = [&](unsigned on) -> task<> {
    co_await tare::resume_on(on);
    ++alive;
    try {
      for (;;) {
        co_await tare::yield();
        if (alive % 3 == 0) co_await tare::sleep_for(1us);
      }
    } catch (const tare::cancelled&) {
      --alive;
    }
  };
  for (int round = 0; round < 20; ++round) {
    tare::runtime rt(options());
    for (unsigned i = 0; i < 10; ++i) rt.spawn_on(i % shards(), works((i + 1) % shards()));
    if (round % 2 == 0) rt.run([]() -> task<> { co_await tare::yield(); }());
    if (round % 3 == 0) std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(alive, 0);
}

TEST_P(background, it_ends_when_it_has_done_nothing) {
  for (int round = 0; round < 50; ++round) {
    const tare::runtime rt(options());
    EXPECT_EQ(rt.shards(), shards());
  }
}

TEST_P(background, it_ends_when_the_last_tasks_do) {
  // Ends of tasks on several shards coincide with the destructor in any order.
  for (int round = 0; round < 200; ++round) {
    tare::runtime rt(options());
    for (unsigned on = 0; on < shards(); ++on) rt.spawn_on(on, []() -> task<> { co_return; }());
  }
}

TEST_P(background, run_is_refused_in_a_task) {
  tare::runtime rt(options());
  auto body = [&]() -> task<bool> {
    bool refused = false;
    try {
      rt.run([]() -> task<> { co_return; }());
    } catch (const std::logic_error&) {
      refused = true;
    }
    co_await tare::yield();
    co_return refused;
  };
  EXPECT_TRUE(rt.run(body()));
}

TEST_P(background, a_task_may_own_one) {
  auto body = []() -> task<int> {
    std::atomic<int> ran = 0;
    {
      tare::runtime own(options());
      own.spawn_on(0, [](std::atomic<int>& count) -> task<> {
        ++count;
        co_return;
      }(ran));
    }
    co_await tare::yield();
    co_return ran.load();
  };
  const int ran = tare::run(body());
  EXPECT_GE(ran, 0);
  EXPECT_LE(ran, 1);
}

TEST_P(background, descriptors_and_calls_work_on_shard_0) {
  tare::runtime rt(options());
  auto body = []() -> task<std::thread::id> {
    co_return co_await tare::offload([] { return std::this_thread::get_id(); });
  };
  EXPECT_NE(rt.run(body()), std::this_thread::get_id());
}

}  // namespace
