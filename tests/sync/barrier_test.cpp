#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace {

using tare::task;

task<> arrive(tare::barrier& at, char& outcome) {
  const bool last = co_await at.arrive_and_wait();
  outcome = last ? 'l' : 'p';
}

/// a: a task arrives; d: one task fewer is expected; o, y: cancel the oldest, the youngest task; r: let tasks run.
task<> play(const std::string& order) {
  tare::barrier at(3);
  std::uint32_t expected_tasks = 3;
  support::cancellable_tasks tasks;
  std::deque<std::size_t> waiting;
  std::string expected(8, ' ');
  auto pass = [&] {
    for (const std::size_t number : waiting) expected[number] = 'p';
    waiting.clear();
  };
  for (const char step : order) {
    if (step == 'a' && expected_tasks != 0) {
      const std::size_t number = tasks.begin([&](char& outcome) { return arrive(at, outcome); });
      co_await support::drain();
      if (waiting.size() + 1 == expected_tasks) {
        pass();
        expected[number] = 'l';
      } else {
        waiting.push_back(number);
        expected[number] = '-';
      }
    } else if (step == 'd' && expected_tasks != 0) {
      at.arrive_and_drop();
      --expected_tasks;
      if (!waiting.empty() && waiting.size() == expected_tasks) {
        const std::size_t first = waiting.front();
        pass();
        expected[first] = 'l';
      }
    } else if (step == 'r') {
      co_await support::drain();
    } else if ((step == 'o' || step == 'y') && tasks.size() != 0) {
      const std::size_t number = step == 'o' ? 0 : tasks.size() - 1;
      tasks.cancel(number);
      if (std::erase(waiting, number) != 0) expected[number] = 'c';
    }
  }
  co_await support::drain();
  EXPECT_EQ(tasks.outcomes(), expected) << order;
  tasks.cancel_all();
  co_await tasks.join();
}

TEST(barrier, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  support::for_each_order("adoyr", 6, [&](const std::string& order) { rt.run(play(order)); });
}

TEST(barrier, keeps_tasks_of_several_shards_in_step) {
  constexpr unsigned tasks = 6;
  constexpr int rounds = 300;
  tare::runtime rt({.shards = 3});
  tare::barrier round(tasks);
  std::array<int, tasks> reached{};  // guarded by the barrier, so ThreadSanitizer judges too
  std::atomic<int> last = 0;
  auto works = [&](unsigned number) -> task<> {
    for (int i = 0; i < rounds; ++i) {
      ++reached.at(number);
      const bool is_last = co_await round.arrive_and_wait();
      if (is_last) ++last;
      EXPECT_EQ(std::ranges::count(reached, i + 1), tasks);
      (void)co_await round.arrive_and_wait();
    }
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (unsigned i = 0; i < tasks; ++i) s.spawn_on(i % 3, works(i));
      co_return;
    });
  };
  rt.run(body());
  EXPECT_EQ(last, rounds);
}

TEST(barrier_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(tare::barrier(0).arrive_and_drop(), "barrier::arrive_and_drop: no more task is expected");
  auto too_many = []() -> task<> {
    tare::barrier none(0);
    (void)co_await none.arrive_and_wait();
  };
  EXPECT_DEATH(tare::run(too_many()), "barrier::arrive_and_wait: more tasks than expected");
}

}  // namespace
