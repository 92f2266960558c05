// What a snapshot counts: every frame once, by what it waits for.

#include "sched/snapshots.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tare::test;
using tare::awaited;
using tare::frame_group;
using tare::task;
using tare::task_snapshot;

struct chain_introductions {
  introduction root;
  introduction middle;
  introduction leaf;
};
task<int> chain_leaf(chain_introductions& who) {
  std::array<char, 200> kept{};
  use(kept.data());
  co_await introduce{who.leaf};
  co_await tare::sleep_for(1h);
  use(kept.data());
  co_return kept[1];
}
task<int> chain_middle(chain_introductions& who) {
  co_await introduce{who.middle};
  const int result = co_await chain_leaf(who);
  co_return result + 1;
}
task<> chain_root(chain_introductions& who) {
  co_await introduce{who.root};
  co_await chain_middle(who);
}

task<> permit_waiter(introduction& who, tare::semaphore& permits) {
  co_await introduce{who};
  const auto permit = co_await permits.acquire();
}

TEST(snapshot, counts_every_kind_of_waiting_exactly) {
  constexpr std::size_t sleepers = 10'000;
  constexpr std::size_t chains = 5'000;
  constexpr std::size_t waiters = 1'000;
  introduction asleep;
  chain_introductions chain;
  introduction waiting;
  tare::semaphore none{0};
  task_snapshot seen;
  task_snapshot after;
  auto observe = [&](tare::scope& s) -> task<> {
    for (std::size_t i = 0; i < sleepers; ++i) s.spawn(sleeper(asleep));
    for (std::size_t i = 0; i < chains; ++i) s.spawn(chain_root(chain));
    for (std::size_t i = 0; i < waiters; ++i) s.spawn(permit_waiter(waiting, none));
    co_await tare::yield();  // the queue is in order, so all are suspended at their waits by then
    seen = co_await tare::snapshot();
    for (std::size_t i = 0; i < waiters; ++i) none.release();
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope(observe);
    after = co_await tare::snapshot();
  };
  run_in_virtual_time(body());

  expect_consistent(seen);
  EXPECT_EQ(count(seen, asleep, awaited::timer), sleepers);
  EXPECT_EQ(count(seen, asleep), sleepers);
  EXPECT_EQ(count(seen, chain.root, awaited::child), chains);
  EXPECT_EQ(count(seen, chain.middle, awaited::child), chains);
  EXPECT_EQ(count(seen, chain.leaf, awaited::timer), chains);
  EXPECT_EQ(count(seen, chain.root) + count(seen, chain.middle) + count(seen, chain.leaf), 3 * chains);
  EXPECT_EQ(count(seen, waiting, awaited::primitive), waiters);
  EXPECT_EQ(count(seen, waiting), waiters);
  ASSERT_EQ(seen.shards.size(), 1U);
  const std::size_t known = sleepers * asleep.bytes +
                            chains * (chain.root.bytes + chain.middle.bytes + chain.leaf.bytes) +
                            waiters * waiting.bytes;
  // The rest: the body, the snapshot and its walks.
  EXPECT_GE(seen.frame_bytes(), known);
  EXPECT_LE(seen.frame_bytes(), known + 16'384);
  EXPECT_LE(seen.frames(), sleepers + 3 * chains + waiters + 20);

  expect_consistent(after);
  for (const introduction& gone : {asleep, chain.root, chain.middle, chain.leaf, waiting}) {
    EXPECT_EQ(count(after, gone), 0U);
  }
  EXPECT_LE(after.frames(), 20U);
}

TEST(snapshot, tells_what_has_not_started_what_is_queued_and_what_runs) {
  introduction unstarted;
  introduction queued;
  introduction running;
  task_snapshot seen;
  auto introduced = [](introduction& who) -> task<> {
    co_await introduce{who};
    co_await tare::yield();
  };
  auto other = [](introduction& who) -> task<> {
    co_await introduce{who};
    co_await tare::yield();
    co_await tare::yield();
  };
  auto look = [&]() -> task<task_snapshot> {
    co_await introduce{running};
    co_return co_await tare::snapshot();
  };
  auto observe = [&](tare::scope& s) -> task<> {
    co_await introduced(unstarted);
    co_await other(queued);
    std::vector<task<>> kept;
    for (int i = 0; i < 7; ++i) kept.push_back(introduced(unstarted));
    for (int i = 0; i < 9; ++i) s.spawn(other(queued));
    seen = co_await look();
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  tare::run(body());
  expect_consistent(seen);
  EXPECT_EQ(count(seen, unstarted, awaited::start), 7U);
  EXPECT_EQ(count(seen, queued, awaited::turn), 9U);
  EXPECT_EQ(count(seen, running, awaited::child), 1U);
  // The shard's own walk.
  const auto runs = [](const frame_group& each) { return each.waiting_for == awaited::nothing; };
  EXPECT_EQ(std::ranges::count_if(seen.groups, runs), 1);
}

TEST(snapshot, freed_frames_are_not_counted) {
  introduction who;
  task_snapshot seen;
  auto observe = [&](tare::scope& s) -> task<> {
    std::vector<task<>> made;
    for (int i = 0; i < 3000; ++i) made.push_back(sleeper(who));
    // Two thirds are destroyed in no particular order; every third one stays in place.
    std::size_t left = 0;
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (i % 3 == 0) {
        s.spawn(std::move(made[i]));
        ++left;
      }
    }
    made.clear();
    co_await tare::yield();
    EXPECT_EQ(left, 1000U);
    seen = co_await tare::snapshot();
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  run_in_virtual_time(body());
  expect_consistent(seen);
  EXPECT_EQ(count(seen, who), 1000U);
  EXPECT_EQ(count(seen, who, awaited::timer), 1000U);
}

task<> large_sleeper(introduction& who) {
  std::array<char, 20'000> kept{};
  use(kept.data());
  co_await introduce{who};
  co_await tare::sleep_for(1h);
  use(kept.data());
}

TEST(snapshot, frames_with_slabs_of_their_own_are_counted) {
  introduction who;
  task_snapshot seen;
  auto observe = [&](tare::scope& s) -> task<> {
    for (int i = 0; i < 10; ++i) s.spawn(large_sleeper(who));
    co_await tare::yield();
    seen = co_await tare::snapshot();
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  run_in_virtual_time(body());
  expect_consistent(seen);
  EXPECT_GE(who.bytes, 20'000U);
  EXPECT_EQ(count(seen, who, awaited::timer), 10U);
}

TEST(snapshot, the_first_frame_of_a_run_lies_outside_of_the_shards) {
  introduction who;
  auto body = [](introduction& self) -> task<task_snapshot> {
    co_await introduce{self};
    co_return co_await tare::snapshot();
  };
  const task_snapshot seen = tare::run(body(who));
  expect_consistent(seen);
  EXPECT_EQ(count(seen, who, awaited::child), 1U);
  EXPECT_GE(seen.outside.frames, 1U);
  EXPECT_GE(seen.outside.frame_bytes, who.bytes);
}

/// Runs a task on that shard to its end: then everything sent there earlier has arrived.
task<> pass_by(unsigned shard) {
  co_await tare::with_scope([shard](tare::scope& s) -> task<> {
    auto nothing = []() -> task<> { co_return; };
    s.spawn_on(shard, nothing());
    co_return;
  });
}

TEST(snapshot, every_shard_is_looked_at_and_moved_tasks_are_counted_once) {
  constexpr unsigned shards = 3;
  constexpr std::size_t each = 500;
  std::array<introduction, shards> residents;
  std::array<introduction, shards> travellers;
  task_snapshot seen;
  auto travel = [](introduction& who, unsigned to) -> task<> {
    co_await tare::resume_on(to);
    co_await introduce{who};
    co_await tare::sleep_for(1h);
  };
  // The coroutines are called on their shard, so their frames are in its heap.
  auto settle = [&](unsigned shard) -> task<> {
    co_await tare::with_scope([&, shard](tare::scope& s) -> task<> {
      for (std::size_t i = 0; i < each; ++i) s.spawn(sleeper(residents.at(shard)));
      for (std::size_t i = 0; i < each; ++i) s.spawn(travel(travellers.at((shard + 1) % shards), (shard + 1) % shards));
      co_return;
    });
  };
  auto observe = [&](tare::scope& s) -> task<> {
    for (unsigned shard = 0; shard < shards; ++shard) s.spawn_on(shard, settle(shard));
    for (int round = 0; round < 3; ++round) {
      for (unsigned shard = 0; shard < shards; ++shard) co_await pass_by(shard);
    }
    seen = co_await tare::snapshot();
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  run_in_virtual_time(body(), shards);

  expect_consistent(seen);
  ASSERT_EQ(seen.shards.size(), shards);
  EXPECT_EQ(count(seen, residents[0], awaited::timer), shards * each);
  EXPECT_EQ(count(seen, residents[0]), shards * each);
  EXPECT_EQ(count(seen, travellers[0], awaited::timer), shards * each);
  EXPECT_EQ(count(seen, travellers[0]), shards * each);
  for (const tare::walked_heap& of : seen.shards) {
    EXPECT_GE(of.frames, 2 * each);
    EXPECT_LE(of.frames, 2 * each + 30);
  }
}

/// Frames of many sizes that are created and destroyed, some on another shard than they began on.
task<std::size_t> chain(unsigned depth, unsigned shards) {
  if (depth % 3 == 1) co_await tare::resume_on(depth % shards);
  if (depth == 0) {
    co_await tare::yield();
    co_return 0;
  }
  const std::size_t below = co_await chain(depth - 1, shards);
  co_return below + 1;
}
task<std::size_t> wide_chain(unsigned depth, unsigned shards) {
  std::array<char, 1500> kept{};
  use(kept.data());
  const std::size_t below = co_await chain(depth, shards);
  use(kept.data());
  co_return below;
}

TEST(snapshot, is_right_about_those_that_stay_while_others_come_and_go) {
  constexpr unsigned shards = 3;
  constexpr std::size_t stay = 3000;
  constexpr int snapshots = 100;
  introduction who;
  std::atomic<bool> done = false;
  auto churn = [&](unsigned seed) -> task<> {
    for (unsigned i = seed; !done; ++i) {
      (void)co_await wide_chain(i % 17, shards);
      co_await tare::resume_on(i % shards);
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (unsigned k = 0; k < 40; ++k) s.spawn(chain(k % 5, 1));
        co_return;
      });
      if (i % 8 == 0) co_await tare::sleep_for(1ms);
    }
  };
  tare::runtime rt({.shards = shards});
  auto observe = [&](tare::scope& s) -> task<> {
    for (std::size_t i = 0; i < stay; ++i) s.spawn(sleeper(who));
    co_await tare::yield();
    for (unsigned i = 0; i < 3 * shards; ++i) s.spawn_on(i % shards, churn(i));
    for (int i = 0; i < snapshots; ++i) {
      const tare::snapshot_options shortest{.longest_pause = std::chrono::nanoseconds(i % 2 * 20'000)};
      const task_snapshot seen = co_await tare::snapshot(shortest);
      EXPECT_EQ(count(seen, who, awaited::timer), stay);
      EXPECT_EQ(count(seen, who), stay);
      std::size_t frames = 0;
      for (const frame_group& each : seen.groups) frames += each.count;
      EXPECT_EQ(frames + seen.ungrouped, seen.frames());
    }
    done = true;
    s.cancel();
  };
  auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
  // Frames that no shard has made: they are in the shared heap, whose lock the snapshots take.
  std::jthread outside([&](const std::stop_token& stop) {
    for (unsigned i = 0; !stop.stop_requested(); ++i) {
      auto brief = []() -> task<> { co_await tare::yield(); };
      rt.spawn_on(i % shards, brief());
      {
        const auto never_started = chain(3, shards);
      }
      if (i % 64 == 0) std::this_thread::sleep_for(1ms);
    }
  });
  rt.run(body());
}

}  // namespace
