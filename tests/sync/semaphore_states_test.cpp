// Time limits, closing and splitting, in every order with what a semaphore does otherwise.

#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr std::size_t permits = 2;

task<> acquire_once(tare::semaphore& from, std::size_t count, char& outcome) {
  auto permit = co_await from.acquire(count);
  outcome = permit.count() == count ? 'p' : 'e';
  if (!permit) co_return;
  permit.forget();
}

task<> try_for_a_while(tare::semaphore& from, char& outcome) {
  auto permit = co_await from.try_acquire_for(10ms);
  outcome = permit ? 'p' : 'e';
  permit.forget();
}

class model {
 public:
  void acquire(std::size_t number, std::size_t count, bool limited) {
    outcomes[number] = '-';
    if (closed_) {
      outcomes[number] = 'e';
    } else {
      waiting_.push_back({.number = number, .count = count, .limited = limited});
      grant();
    }
  }
  void release() {
    ++free;
    if (!closed_) grant();
  }
  void cancel(std::size_t number) {
    leave([number](const waiter& each) { return each.number == number; }, 'c');
  }
  void time_passes() {
    leave([](const waiter& each) { return each.limited; }, 'e');
  }
  void close() {
    closed_ = true;
    leave([](const waiter&) { return true; }, 'e');
  }

  std::string outcomes = std::string(8, ' ');
  std::size_t free = permits;

 private:
  struct waiter {
    std::size_t number;
    std::size_t count;
    bool limited;
  };
  template <class Which>
  void leave(Which which, char outcome) {
    for (const waiter& each : waiting_) {
      if (which(each)) outcomes[each.number] = outcome;
    }
    std::erase_if(waiting_, which);
    if (!closed_) grant();
  }
  void grant() {
    while (!waiting_.empty() && waiting_.front().count <= free) {
      free -= waiting_.front().count;
      outcomes[waiting_.front().number] = 'p';
      waiting_.pop_front();
    }
  }

  std::deque<waiter> waiting_;
  bool closed_ = false;
};

/// 1, 2: a task acquires so many; l: one, with a limit; r: release one; o, y: cancel the oldest, the youngest task; t:
/// the limit passes; x: close; n: let tasks run.
task<> play(const std::string& order) {
  tare::semaphore free(permits);
  support::cancellable_tasks tasks;
  model expected;
  for (const char step : order) {
    if (step == '1' || step == '2' || step == 'l') {
      const std::size_t count = step == '2' ? 2 : 1;
      const std::size_t number = tasks.begin([&](char& outcome) {
        return step == 'l' ? try_for_a_while(free, outcome) : acquire_once(free, count, outcome);
      });
      co_await support::drain();
      expected.acquire(number, count, step == 'l');
    } else if (step == 'r') {
      free.release();
      expected.release();
    } else if (step == 't') {
      co_await tare::sleep_for(20ms);
      expected.time_passes();
    } else if (step == 'x') {
      free.close();
      expected.close();
    } else if (tasks.size() != 0) {
      const std::size_t number = step == 'o' ? 0 : tasks.size() - 1;
      tasks.cancel(number);
      expected.cancel(number);
    }
    EXPECT_EQ(free.available(), expected.free) << order;
  }
  co_await support::drain();
  EXPECT_EQ(tasks.outcomes(), expected.outcomes) << order;
  tasks.cancel_all();
  co_await tasks.join();
}

TEST(semaphore_states, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  support::for_each_order("12lroytx", 4, [&](const std::string& order) {
    rt.run(play(order));
    rt.run(play("22" + order));
  });
}

TEST(semaphore_states, a_closed_semaphore_gives_nothing_and_takes_permits_back) {
  auto body = []() -> task<> {
    tare::semaphore free(3);
    auto held = co_await free.acquire(2);
    EXPECT_FALSE(free.is_closed());
    free.close();
    EXPECT_TRUE(free.is_closed());
    EXPECT_FALSE(free.try_acquire());
    const auto none = co_await free.acquire();
    EXPECT_FALSE(none);
    const auto none_in_time = co_await free.try_acquire_for(1h);
    EXPECT_FALSE(none_in_time);
    held.release();
    EXPECT_EQ(free.available(), 3U);
    EXPECT_FALSE(free.try_acquire());
  };
  tare::run(body());
}

/// The task is woken once, whichever of them comes first.
TEST(semaphore_states, a_limit_and_a_cancellation_may_come_in_the_same_tick) {
  auto body = []() -> task<> {
    for (int outer = 9; outer <= 11; ++outer) {
      for (int count = 0; count < 3; ++count) {
        tare::semaphore free(1);
        auto held = free.try_acquire();
        tare::scope s;
        auto waits = [](tare::semaphore& of, std::chrono::milliseconds limit) -> task<> {
          const auto permit = co_await tare::timeout(limit, of.try_acquire_for(10ms));
          EXPECT_FALSE(permit && *permit);
        };
        for (int i = 0; i <= count; ++i) s.spawn(waits(free, std::chrono::milliseconds(outer)));
        co_await tare::sleep_for(10ms);
        if (count == 2) s.cancel();
        co_await s.join();
        held.release();
        EXPECT_TRUE(free.try_acquire());
      }
    }
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(semaphore_states, a_permit_can_be_split) {
  tare::semaphore free(5);
  auto all = free.try_acquire(5);
  auto two = all.split(2);
  EXPECT_EQ(all.count(), 3U);
  EXPECT_EQ(two.count(), 2U);
  two.release();
  EXPECT_EQ(free.available(), 2U);
  auto none = all.split(0);
  EXPECT_EQ(none.count(), 0U);
  auto rest = all.split(3);
  EXPECT_FALSE(all);
  EXPECT_EQ(rest.count(), 3U);
  rest.release();
  EXPECT_EQ(free.available(), 5U);
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH((void)rest.split(1), "semaphore_permit::split: more permits than are held");
}

}  // namespace
