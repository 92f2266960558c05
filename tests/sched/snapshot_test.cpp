#include "frame/arena.hpp"

#include <tare/await_table.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::awaited;
using tare::frame_group;
using tare::task;
using tare::task_snapshot;

/// Reports the resume function of the coroutine that awaits it, and the bytes that the heap allocates for its frame.
struct introduction {
  const void* resume = nullptr;
  std::size_t bytes = 0;
};

class introduce_awaiter;
struct introduce {
  using tare_awaiter = introduce_awaiter;
  introduction& to;
};
class introduce_awaiter {
 public:
  introduce_awaiter(introduce request, tare::detail::wait_state& self) {
    void* const frame = tare::detail::handle_of(self).address();
    request.to = {.resume = *static_cast<const void* const*>(frame),
                  .bytes = tare::detail::arena::instance().slab_of(frame)->object_bytes};
  }
  static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  static void await_resume() noexcept {}
};

/// The number of frames that wait for `what` in the coroutine's group; 0 if there is no such group.
std::size_t count(const task_snapshot& in, const introduction& of, awaited what) {
  std::size_t found = 0;
  std::size_t groups = 0;
  for (const frame_group& each : in.groups) {
    if (each.resume != of.resume || each.waiting_for != what) continue;
    EXPECT_EQ(each.frame_bytes, of.bytes);
    found = each.count;
    ++groups;
  }
  EXPECT_LE(groups, 1U);
  return found;
}

/// The same, whatever they wait for.
std::size_t count(const task_snapshot& in, const introduction& of) {
  std::size_t found = 0;
  for (const frame_group& each : in.groups) {
    if (each.resume == of.resume) found += each.count;
  }
  return found;
}

/// What is true for every snapshot.
void expect_consistent(const task_snapshot& seen) {
  std::size_t frames = 0;
  std::size_t bytes = 0;
  std::size_t before = SIZE_MAX;
  for (const frame_group& each : seen.groups) {
    frames += each.count;
    bytes += each.total_bytes();
    EXPECT_LE(each.total_bytes(), before);
    before = each.total_bytes();
  }
  EXPECT_EQ(frames + seen.ungrouped, seen.frames());
  EXPECT_EQ(bytes, seen.frame_bytes());
  EXPECT_EQ(seen.ungrouped, 0U);
  for (const tare::walked_heap& each : seen.shards) {
    EXPECT_LE(each.frame_bytes, each.live_bytes);
    EXPECT_LE(each.live_bytes, each.held_bytes);
    EXPECT_GE(each.pauses, 1U);
    EXPECT_GT(each.longest_pause, 0ns);
    EXPECT_LE(each.longest_pause, seen.longest_pause());
  }
}

/// Runs it where sleeping takes no time, so that sleeping tasks need not be cancelled: 10,000 exceptions take seconds
/// with a sanitizer.
void run_in_virtual_time(task<> body, unsigned shards = 1) {
  tare::runtime rt({.shards = shards, .clock = tare::clock_kind::virtual_time});
  rt.run(std::move(body));
}

/// Prevents the compiler from removing an array from the frame.
void use(void* kept) { asm volatile("" : : "r"(kept) : "memory"); }

task<> sleeper(introduction& who) {
  co_await introduce{who};
  co_await tare::sleep_for(1h);
}

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

/// A frame with a number in it that an artificial table defines as its suspend index.
struct marked {
  introduction who;
  const std::byte* frame = nullptr;
};
class find_mark_awaiter;
struct find_mark {
  using tare_awaiter = find_mark_awaiter;
  marked& to;
};
class find_mark_awaiter {
 public:
  find_mark_awaiter(find_mark request, tare::detail::wait_state& self) {
    introduce_awaiter(introduce{request.to.who}, self);
    request.to.frame = static_cast<const std::byte*>(tare::detail::handle_of(self).address());
  }
  static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  static void await_resume() noexcept {}
};

constexpr std::uint32_t first_mark = 0x7A12E001;
constexpr std::uint32_t second_mark = 0x7A12E002;

task<> bears(std::uint32_t mark, marked& self) {
  const volatile std::uint32_t kept = mark;
  co_await find_mark{self};
  co_await tare::sleep_for(1h);
  EXPECT_EQ(kept, mark);
}

/// The offset of the mark in the frame.
std::size_t offset_of_mark(const marked& of) {
  for (std::size_t at = 24; at + 4 <= of.who.bytes; at += 4) {
    std::uint32_t number = 0;
    std::memcpy(&number, of.frame + at, sizeof number);
    if (number == first_mark) return at;
  }
  ADD_FAILURE() << "the mark was not found in the frame";
  return 0;
}

/// A table with one coroutine, whose index has 4 bytes at this offset.
tare::await_table table_of(const void* resume, std::size_t offset, char made_by = 'c') {
  tare::await_table table;
  std::ostringstream text;
  text << "tare awaits 1\nbuild ab\nc " << std::hex << std::bit_cast<std::uintptr_t>(resume) << std::dec << " 0 0 "
       << made_by << " 64 64 " << offset << " 4 0 0 bears()\nend\n";
  EXPECT_TRUE(table.add(text.str(), "ab", 0));
  return table;
}

TEST(snapshot, groups_by_suspend_index_where_a_table_says_where_it_is) {
  marked one;
  marked other;
  introduction asleep;
  std::size_t offset = 0;
  const auto observe_with = [&](auto make_options) {
    task_snapshot seen;
    auto observe = [&](tare::scope& s) -> task<> {
      for (int i = 0; i < 30; ++i) s.spawn(bears(first_mark, one));
      for (int i = 0; i < 20; ++i) s.spawn(sleeper(asleep));
      for (int i = 0; i < 50; ++i) s.spawn(bears(second_mark, other));
      co_await tare::yield();
      offset = offset_of_mark(one);
      const tare::snapshot_options options = make_options();
      seen = co_await tare::snapshot(options);
    };
    auto body = [&]() -> task<> { co_await tare::with_scope(observe); };
    run_in_virtual_time(body());
    expect_consistent(seen);
    return seen;
  };
  const auto counts = [&](const task_snapshot& in) {
    std::map<std::optional<std::uint32_t>, std::size_t> all;
    for (const frame_group& each : in.groups) {
      if (each.resume == one.who.resume) all[each.suspend_index] += each.count;
      if (each.resume == asleep.resume) {
        EXPECT_EQ(each.suspend_index, std::nullopt) << "the table does not contain it";
      }
    }
    return all;
  };
  using expected = std::map<std::optional<std::uint32_t>, std::size_t>;

  tare::await_table table;
  const auto with_table = [&](std::size_t more, char made_by) {
    return observe_with([&, more, made_by] {
      table = table_of(one.who.resume, offset + more, made_by);
      tare::snapshot_options options;
      options.awaits = &table;
      return options;
    });
  };
  EXPECT_EQ(counts(with_table(0, 'c')), (expected{{first_mark, 30}, {second_mark, 50}}));
  EXPECT_EQ(counts(with_table(0, 'g')), (expected{{std::nullopt, 30}, {second_mark, 50}})) << "odd: being destroyed";
  EXPECT_EQ(counts(with_table(1 << 16, 'c')), (expected{{std::nullopt, 80}})) << "outside the frame";
  EXPECT_EQ(counts(with_table(one.who.bytes - offset, 'c')), (expected{{std::nullopt, 80}})) << "just after it";
  EXPECT_EQ(counts(observe_with([] { return tare::snapshot_options(); })), (expected{{std::nullopt, 80}}));
}

TEST(snapshot, names_what_is_awaited) {
  EXPECT_EQ(name_of(awaited::start), "start");
  EXPECT_EQ(name_of(awaited::descriptor), "descriptor");
  EXPECT_EQ(name_of(awaited::unknown), "unknown");
}

}  // namespace
