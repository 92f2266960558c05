#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

TEST(runtime, detached_tasks_are_cancelled_and_awaited_at_the_end) {
  int live = 0;
  auto holds = [](int& of) -> task<> {
    ++of;
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      --of;
    }
  };
  auto body = [&]() -> task<> {
    for (int i = 0; i < 100; ++i) tare::spawn(holds(live));
    co_await tare::yield();
  };
  {
    tare::runtime rt;
    rt.run(body());
    EXPECT_EQ(live, 100);
    EXPECT_EQ(rt.detached_tasks(), 100U);
  }
  EXPECT_EQ(live, 0);
}

TEST(runtime, reports_what_a_detached_task_throws) {
  std::string seen;
  auto fails = []() -> task<> {
    throw std::runtime_error("lost");
    co_return;
  };
  tare::runtime rt({.unhandled = [&](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error& thrown) {
      seen = thrown.what();
    }
  }});
  auto body = [&]() -> task<> {
    tare::spawn(fails());
    co_await tare::yield();
  };
  rt.run(body());
  EXPECT_EQ(seen, "lost");
}

TEST(runtime, spawns_on_every_shard) {
  tare::runtime rt({.shards = 3});
  std::vector<std::atomic<int>> ran(3);
  auto mark = [&](tare::shard_id expected) -> task<> {
    EXPECT_EQ(tare::this_shard(), expected);
    co_await tare::sleep_for(1ms);
    ++ran[tare::this_shard()];
  };
  auto body = [&]() -> task<> {
    for (tare::shard_id shard = 0; shard < 3; ++shard) {
      for (int i = 0; i < 100; ++i) tare::spawn_on(shard, mark(shard));
    }
    while (ran[0] + ran[1] + ran[2] < 300) co_await tare::sleep_for(1ms);
  };
  rt.run(body());
  EXPECT_EQ(ran[0], 100);
  EXPECT_EQ(ran[1], 100);
  EXPECT_EQ(ran[2], 100);
}

TEST(runtime, many_threads_may_run_at_once) {
  tare::runtime rt({.shards = 2});
  auto add = [](int n) -> task<int> {
    co_await tare::sleep_for(1ms);
    co_return n + 1;
  };
  std::vector<std::thread> callers;
  callers.reserve(8);
  std::atomic<int> sum = 0;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) sum += rt.run(add(i));
    });
  }
  for (std::thread& each : callers) each.join();
  EXPECT_EQ(sum, 10 * 36);
}

TEST(runtime, frames_freed_on_another_shard_come_home) {
  tare::runtime rt({.shards = 2});
  std::atomic<int> done = 0;
  auto visit = [&]() -> task<> {
    co_await tare::yield();
    ++done;
  };
  auto body = [&]() -> task<> {
    for (int i = 0; i < 20'000; ++i) {
      tare::spawn_on(1, visit());
      if (i % 100 == 0) co_await tare::yield();
    }
    while (done < 20'000) co_await tare::sleep_for(1ms);
  };
  rt.run(body());
  EXPECT_EQ(done, 20'000);
}

TEST(runtime, a_task_that_never_blocks_does_not_starve_its_shard) {
  auto nothing = []() -> task<> { co_return; };
  bool stop = false;
  auto busy = [&]() -> task<> {
    while (!stop) co_await nothing();
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(busy());
    co_await tare::sleep_for(1ms);
    stop = true;
    co_await s.join();
  };
  tare::run(body());
}

TEST(runtime, virtual_time_waits_for_every_shard) {
  tare::runtime rt({.shards = 2, .clock = tare::clock_kind::virtual_time});
  std::atomic<bool> arrived = false;
  auto there = [&]() -> task<> {
    co_await tare::sleep_for(10ms);
    arrived = true;
  };
  auto body = [&]() -> task<> {
    tare::spawn_on(1, there());
    co_await tare::sleep_for(9ms);
    EXPECT_FALSE(arrived);
    co_await tare::sleep_for(2ms);
    EXPECT_TRUE(arrived);
  };
  rt.run(body());
}

TEST(runtime, a_reached_ceiling_is_an_exception_and_the_living_go_on) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time, .frame_limit = std::size_t{1} << 20U});
  int ended = 0;
  auto sleeps = [&]() -> task<> {
    co_await tare::sleep_for(1ms);
    ++ended;
  };
  auto body = [&]() -> task<int> {
    tare::scope s;
    int spawned = 0;
    bool refused = false;
    try {
      for (; spawned < 1'000'000; ++spawned) s.spawn(sleeps());
    } catch (const std::bad_alloc&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    co_await s.join();
    co_return spawned;
  };
  const int spawned = rt.run(body());
  EXPECT_GT(spawned, 1000);
  EXPECT_LT(spawned, 32 * 1024);
  EXPECT_EQ(ended, spawned);
  EXPECT_GT(rt.run(body()), spawned / 2);
}

TEST(runtime, run_inside_a_task_is_refused) {
  auto nothing = []() -> task<> { co_return; };
  tare::runtime rt;
  auto body = [&]() -> task<> {
    EXPECT_THROW(rt.run(nothing()), std::logic_error);
    co_return;
  };
  rt.run(body());
}

}  // namespace
