#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<std::string> visit_and_answer(unsigned shard) {
  co_await tare::resume_on(shard);
  EXPECT_EQ(tare::this_shard(), shard);
  co_return "from shard " + std::to_string(tare::this_shard());
}

task<int> wander(int hops, unsigned shards) {
  int seen = 0;
  for (int hop = 0; hop < hops; ++hop) {
    const auto next = static_cast<unsigned>(hop * 7 + 3) % shards;
    co_await tare::resume_on(next);
    EXPECT_EQ(tare::this_shard(), next);
    ++seen;
    if (hop % 5 == 0) co_await tare::yield();
  }
  co_return seen;
}

TEST(resume_on, takes_the_whole_chain_of_awaits_along) {
  auto middle = [](std::thread::id& seen) -> task<std::string> {
    std::string answer = co_await visit_and_answer(1);
    seen = std::this_thread::get_id();
    co_return answer;
  };
  auto body = [&]() -> task<> {
    const auto here = std::this_thread::get_id();
    std::thread::id after;
    const std::string answer = co_await middle(after);
    EXPECT_EQ(answer, "from shard 1");
    EXPECT_NE(after, here);
    EXPECT_EQ(tare::this_shard(), 1U);
    co_await tare::resume_on(0);
    EXPECT_EQ(std::this_thread::get_id(), here);
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
}

TEST(resume_on, the_present_shard_costs_no_suspension) {
  auto body = []() -> task<> {
    for (int i = 0; i < 1000; ++i) co_await tare::resume_on(0);
  };
  tare::run(body());
}

TEST(resume_on, says_that_there_is_no_such_shard) {
  auto body = []() -> task<> {
    EXPECT_THROW(co_await tare::resume_on(2), std::out_of_range);
    EXPECT_EQ(tare::this_shard(), 0U);
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
}

TEST(resume_on, run_may_end_on_another_shard) {
  tare::runtime rt({.shards = 3});
  for (unsigned i = 0; i < 100; ++i) EXPECT_EQ(rt.run(visit_and_answer(i % 3)), "from shard " + std::to_string(i % 3));
}

TEST(resume_on, tasks_of_a_scope_may_move_and_end_elsewhere) {
  std::atomic<int> ended = 0;
  auto worker = [&](int number) -> task<> {
    co_await wander(number % 13, 3);
    ++ended;
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 500; ++i) s.spawn(worker(i));
      co_return;
    });
    EXPECT_EQ(ended, 500);
    EXPECT_EQ(tare::this_shard(), 0U);
  };
  tare::runtime rt({.shards = 3});
  rt.run(body());
}

TEST(resume_on, branches_deliver_their_results_from_elsewhere) {
  auto body = []() -> task<> {
    auto [one, two] = co_await tare::when_all(visit_and_answer(1), visit_and_answer(2));
    EXPECT_EQ(one, "from shard 1");
    EXPECT_EQ(two, "from shard 2");
    EXPECT_EQ(tare::this_shard(), 0U);
    auto quick = co_await tare::timeout(1h, visit_and_answer(2));
    EXPECT_EQ(quick, "from shard 2");
  };
  tare::runtime rt({.shards = 3});
  rt.run(body());
}

TEST(resume_on, errors_come_home) {
  auto sleeps = []() -> task<> { co_await tare::sleep_for(1h); };
  auto fails = []() -> task<> {
    co_await tare::resume_on(1);
    throw std::runtime_error("far away");
  };
  auto body = [&]() -> task<> {
    EXPECT_THROW(co_await tare::with_scope([&](tare::scope& s) -> task<> {
                   s.spawn(fails());
                   s.spawn(sleeps());
                   co_return;
                 }),
                 std::runtime_error);
    EXPECT_THROW(co_await tare::when_all(fails(), visit_and_answer(0)), std::runtime_error);
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
}

TEST(resume_on, cancellation_follows_the_task) {
  std::atomic<int> cancelled = 0;
  std::atomic<int> waiting = 0;
  auto waits_on = [&](unsigned shard) -> task<> {
    try {
      co_await tare::resume_on(shard);
      ++waiting;
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      ++cancelled;
      throw;
    }
  };
  auto body = [&]() -> task<> {
    for (int round = 0; round < 50; ++round) {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (unsigned i = 0; i < 9; ++i) s.spawn(waits_on(i % 3));
        // In half of the rounds all of them wait first; in the others they are cancelled while they move.
        if (round % 2 == 0) {
          while (waiting < (round + 1) * 9) co_await tare::yield();
        } else {
          waiting = (round + 1) * 9;
          co_await tare::yield();
        }
        s.cancel();
      });
      waiting = (round + 1) * 9;
    }
  };
  tare::runtime rt({.shards = 3});
  rt.run(body());
  EXPECT_EQ(cancelled, 50 * 9);
}

TEST(resume_on, cancellation_reaches_a_task_that_keeps_moving) {
  std::atomic<int> ended = 0;
  auto moves_for_ever = [&](unsigned first) -> task<> {
    try {
      for (unsigned at = first;; ++at) {
        co_await tare::resume_on(at % 3);
        co_await tare::yield();
      }
    } catch (const tare::cancelled&) {
      ++ended;
    }
  };
  auto body = [&]() -> task<> {
    for (int round = 1; round <= 20; ++round) {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (unsigned i = 0; i < 8; ++i) s.spawn(moves_for_ever(i));
        for (int i = 0; i < round; ++i) co_await tare::yield();
        s.cancel();
      });
    }
  };
  tare::runtime rt({.shards = 3});
  rt.run(body());
  EXPECT_EQ(ended, 20 * 8);
}

TEST(resume_on, detached_tasks_that_moved_are_cancelled_at_the_end) {
  std::atomic<int> ended = 0;
  auto moves = [&](unsigned first) -> task<> {
    try {
      for (unsigned at = first;; ++at) {
        co_await tare::resume_on(at % 3);
        if (at % 2 == 0) {
          co_await tare::sleep_for(1ms);
        } else {
          co_await tare::yield();
        }
      }
    } catch (const tare::cancelled&) {
      ++ended;
    }
  };
  auto body = [&]() -> task<> {
    for (unsigned i = 0; i < 30; ++i) tare::spawn(moves(i));
    co_await tare::sleep_for(5ms);
  };
  {
    tare::runtime rt({.shards = 3});
    rt.run(body());
  }
  EXPECT_EQ(ended, 30);
}

TEST(resume_on, a_scope_is_used_on_its_own_shard_only) {
  auto nothing = []() -> task<> { co_return; };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      co_await tare::resume_on(1);
      EXPECT_THROW(s.spawn(nothing()), std::logic_error);
      EXPECT_THROW(co_await s.join(), std::logic_error);
    });
    EXPECT_EQ(tare::this_shard(), 0U);
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
}

TEST(scope_spawn_on, runs_the_task_there_and_joins_it_here) {
  std::atomic<unsigned> seen = 0;
  auto notes = [&]() -> task<> {
    seen |= 1U << tare::this_shard();
    co_await tare::yield();
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (unsigned i = 0; i < 100; ++i) s.spawn_on(i % 3, notes());
      EXPECT_THROW(s.spawn_on(3, notes()), std::out_of_range);
      EXPECT_EQ(s.size(), 100U);
      co_return;
    });
  };
  tare::runtime rt({.shards = 3});
  rt.run(body());
  EXPECT_EQ(seen, 7U);
}

TEST(scope_spawn_on, cancels_what_has_not_begun) {
  std::atomic<int> began = 0;
  auto begins = [&]() -> task<> {
    ++began;
    co_return;
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.cancel();
      for (int i = 0; i < 10; ++i) s.spawn_on(1, begins());
      co_return;
    });
  };
  tare::runtime rt({.shards = 2});
  rt.run(body());
  EXPECT_EQ(began, 0);
}

}  // namespace
