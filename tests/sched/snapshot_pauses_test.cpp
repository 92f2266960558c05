// What a snapshot does to others: its pauses, its cancellation, the clock.

#include "sched/snapshots.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

namespace {

using namespace std::chrono_literals;
using namespace tare::test;
using tare::awaited;
using tare::task;
using tare::task_snapshot;

std::size_t pauses_with(std::size_t sleepers) {
  task_snapshot seen;
  introduction who;
  auto observe = [&](tare::scope& s) -> task<> {
    for (std::size_t i = 0; i < sleepers; ++i) s.spawn(sleeper(who));
    co_await tare::yield();
    const tare::snapshot_options shortest{.longest_pause = 0ns};
    seen = co_await tare::snapshot(shortest);
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  run_in_virtual_time(body());
  expect_consistent(seen);
  EXPECT_EQ(count(seen, who, awaited::timer), sleepers);
  return seen.shards.at(0).pauses;
}

TEST(snapshot, more_frames_take_more_pauses_not_longer_ones) {
  const std::size_t few = pauses_with(1'000);
  const std::size_t many = pauses_with(50'000);
  EXPECT_GE(many, few + 50);
}

TEST(snapshot, other_tasks_run_between_the_pauses) {
  std::size_t turns = 0;
  bool done = false;
  introduction who;
  task_snapshot seen;
  auto neighbour = [&]() -> task<> {
    while (!done) {
      ++turns;
      co_await tare::yield();
    }
  };
  auto observe = [&](tare::scope& s) -> task<> {
    for (int i = 0; i < 20'000; ++i) s.spawn(sleeper(who));
    s.spawn(neighbour());
    co_await tare::yield();
    const std::size_t before = turns;
    const tare::snapshot_options shortest{.longest_pause = 0ns};
    seen = co_await tare::snapshot(shortest);
    turns -= before;
    done = true;
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  run_in_virtual_time(body());
  EXPECT_GE(turns + 1, seen.shards.at(0).pauses);
}

TEST(snapshot, can_be_cancelled) {
  introduction who;
  bool cancelled = false;
  auto look = [&]() -> task<> {
    try {
      const tare::snapshot_options shortest{.longest_pause = 0ns};
      (void)co_await tare::snapshot(shortest);
    } catch (const tare::cancelled&) {
      cancelled = true;
      throw;
    }
  };
  auto observe = [&](tare::scope& s) -> task<> {
    for (int i = 0; i < 3'000; ++i) s.spawn(sleeper(who));
    s.spawn(look());
    for (int i = 0; i < 5; ++i) co_await tare::yield();
    s.cancel();
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  tare::run(body());
  EXPECT_TRUE(cancelled);
}

TEST(snapshot, leaves_a_virtual_clock_alone) {
  introduction who;
  auto observe = [&](tare::scope& s) -> task<> {
    for (int i = 0; i < 5000; ++i) s.spawn(sleeper(who));
    co_await tare::yield();
    const auto before = tare::now();
    const tare::snapshot_options shortest{.longest_pause = 0ns};
    const task_snapshot seen = co_await tare::snapshot(shortest);
    EXPECT_EQ(tare::now(), before);
    EXPECT_EQ(count(seen, who, awaited::timer), 5000U);
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  run_in_virtual_time(body(), 2);
}

}  // namespace
