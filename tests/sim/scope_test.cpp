// Scopes under many seeds: members of all kinds, cancelled from all sides, joined, used again. Whatever happens, a join
// returns when all members have ended, reports what has happened once, and leaves the scope as new.

#include "sim/on_shards.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::scope;
using tare::task;
using tare::sim::world;
using tare::testing::on_shards;
using tare::testing::shards;
using tare::testing::some_time;

/// What one scope and its members have done since its last join.
struct round_of {
  int begun = 0;
  int ended = 0;
  int finished = 0;  ///< without having been cancelled
  int spawned = 0;
  std::size_t failures = 0;
  bool cancel_called = false;
};

struct counted {
  explicit counted(round_of& in) : in_(in) { ++in_.begun; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { ++in_.ended; }

 private:
  round_of& in_;
};

/// A pause after which the task is still on its shard.
task<> pause(std::chrono::microseconds time) {
  const auto before = tare::this_shard();
  co_await tare::sleep_for(time);
  EXPECT_EQ(tare::this_shard(), before);
}

task<> quiet(round_of& in, std::chrono::microseconds time) {
  const counted here(in);
  co_await pause(time);
  co_await tare::yield();
  ++in.finished;
}

task<> fails(round_of& in, std::chrono::microseconds time) {
  const counted here(in);
  co_await pause(time);
  ++in.failures;
  throw std::domain_error("a member's");
}

/// Throws an error instead of its cancellation.
task<> fails_when_cancelled(round_of& in, std::chrono::microseconds time) {
  const counted here(in);
  try {
    co_await pause(time);
  } catch (const tare::cancelled&) {
    ++in.failures;
    throw std::domain_error("of a clean-up");
  }
  ++in.finished;
}

/// Needs some time to end.
task<> ends_slowly(round_of& in, std::chrono::microseconds time) {
  const counted here(in);
  const auto home = tare::this_shard();
  try {
    co_await pause(time);
  } catch (...) {
    EXPECT_EQ(tare::this_shard(), home);
  }
  co_await tare::shield(pause(100us));
  ++in.finished;
}

/// Spawns a sibling at the moment when it is cancelled.
task<> spawns_when_cancelled(scope& s, round_of& in, std::chrono::microseconds time) {
  const counted here(in);
  auto spawn = [&]() noexcept {
    for (int i = 0; i < 3; ++i, ++in.spawned) s.spawn(quiet(in, 1h));
  };
  co_await tare::on_cancel(pause(time), spawn);
  ++in.finished;
}

task<> moves(round_of& in, tare::shard_id to, std::chrono::microseconds time) {
  const counted here(in);
  const auto home = tare::this_shard();
  co_await tare::resume_on(to);
  EXPECT_EQ(tare::this_shard(), to);
  co_await pause(time);
  co_await tare::resume_on(home);
  ++in.finished;
}

task<> cancels(scope& s, round_of& in, std::chrono::microseconds time) {
  const counted here(in);
  co_await pause(time);
  in.cancel_called = true;
  s.cancel();
  ++in.finished;
}

void spawn_some(world& w, scope& s, round_of& in) {
  ++in.spawned;
  const auto other = static_cast<tare::shard_id>(1 + w.random_below(shards - 1));
  switch (w.random_below(10)) {
    case 0:
      s.spawn(fails(in, some_time(w)));
      break;
    case 1:
      s.spawn(fails_when_cancelled(in, some_time(w)));
      break;
    case 2:
      s.spawn(ends_slowly(in, some_time(w)));
      break;
    case 3:
      s.spawn(spawns_when_cancelled(s, in, some_time(w)));
      break;
    case 4:
      s.spawn(moves(in, other, some_time(w)));
      break;
    case 5:
      s.spawn(cancels(s, in, some_time(w)));
      break;
    case 6:
      s.spawn_on(other, cancels(s, in, some_time(w)));
      break;
    case 7:
      s.spawn_on(other, quiet(in, some_time(w)));
      break;
    default:
      s.spawn(quiet(in, some_time(w)));
  }
}

/// The task that owns the scope, and what is done to it.
struct owner {
  bool joining = false;
  bool cancelled = false;  ///< from outside
  bool ended = false;
};

/// What a cancellation that was left over would take away.
task<> take_and_return() {
  tare::semaphore permits(2);
  try {
    const auto held = co_await permits.acquire(2);
  } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): the owner's, and it has taken nothing
  }
  EXPECT_EQ(permits.available(), 2U);
}

/// Joins, and checks what the join has reported and left.
task<> join_round(scope& s, round_of& in, owner& of, bool collects) {
  std::size_t errors = 0;
  bool was_cancelled = false;
  const auto before = tare::now();
  of.joining = true;
  try {
    co_await s.join();
  } catch (const std::domain_error&) {
    errors = 1;
  } catch (const tare::error_group& all) {
    errors = all.errors().size();
  } catch (const tare::cancelled&) {
    was_cancelled = true;
  }
  of.joining = false;
  EXPECT_LT(tare::now() - before, 1s) << "a member was not cancelled";
  EXPECT_EQ(s.size(), 0U);
  EXPECT_EQ(in.begun, in.ended);
  EXPECT_EQ(errors, collects ? in.failures : std::min<std::size_t>(in.failures, 1));
  EXPECT_TRUE(!was_cancelled || of.cancelled) << "a cancellation that nobody asked for";
  if ((in.failures == 0 || collects) && !in.cancel_called && !of.cancelled) {
    EXPECT_EQ(in.finished + static_cast<int>(in.failures), in.begun);
    EXPECT_EQ(in.begun, in.spawned);
  }
  in = {};
  co_await take_and_return();
}

/// Another join at the same time is refused, and the first one returns nevertheless.
task<> join_too(scope& s, const owner& of, bool& refused) {
  while (!of.joining && !of.ended) co_await tare::yield();
  if (of.ended || s.size() == 0) {
    refused = true;
    co_return;
  }
  try {
    co_await s.join();
  } catch (const std::logic_error&) {
    refused = true;
  }
}

task<> use_scope(world& w, owner& of) {
  const bool collects = w.random_below(3) == 0;
  scope s(collects ? tare::on_error::collect : tare::on_error::cancel_siblings);
  round_of in;
  for (int i = 0; i < 2; ++i) {
    // Few, or so many that the scope's list of them has several parts.
    const auto members = w.random_below(8) == 0 ? 20 + w.random_below(60) : w.random_below(6);
    for (std::uint64_t k = 0; k < members; ++k) spawn_some(w, s, in);
    std::jthread elsewhere;
    const bool has_thread = w.random_below(3) == 0;
    if (has_thread) {
      const auto time = some_time(w);
      elsewhere = std::jthread([&s, &in, time] {
        std::this_thread::sleep_for(time);
        in.cancel_called = true;
        s.cancel();
      });
    }
    const bool at_once = has_thread && w.random_below(2) == 0;
    if (at_once) elsewhere.join();
    co_await join_round(s, in, of, collects);
    if (has_thread && !at_once) {
      elsewhere.join();
      // Its message arrives at the latest before the next join returns.
      in.cancel_called = true;
      co_await join_round(s, in, of, collects);
    }
  }
}

/// Cancels the owner at some time, or not.
task<> disturb_owner(world& w) {
  owner of;
  auto running = tare::spawn_handle([&w, &of]() -> task<> { co_await use_scope(w, of); });
  if (w.random_below(2) == 0) {
    co_await tare::sleep_for(some_time(w));
    of.cancelled = true;
    running.cancel();
  }
  try {
    co_await running;
  } catch (const tare::task_cancelled&) {
    EXPECT_TRUE(of.cancelled);
  }
}

TEST(sim_scope, a_join_returns_when_all_have_ended_and_says_once_what_has_happened) {
  on_shards(300, [](world& w) -> task<> {
    for (int i = 0; i < 4; ++i) co_await disturb_owner(w);
  });
}

TEST(sim_scope, only_one_task_joins) {
  on_shards(100, [](world& w) -> task<> {
    owner of;
    scope s;
    round_of in;
    for (in.spawned = 0; in.spawned < 3; ++in.spawned) s.spawn(quiet(in, some_time(w)));
    bool refused = false;
    auto second = tare::spawn_handle([&]() -> task<> { co_await join_too(s, of, refused); });
    co_await join_round(s, in, of, false);
    of.ended = true;
    co_await second;
    EXPECT_TRUE(refused);
  });
}

}  // namespace
