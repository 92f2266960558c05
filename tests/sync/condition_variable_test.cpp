#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

struct shared {
  tare::mutex m;
  tare::condition_variable changed;
};

task<> wait_once(shared& on, char& outcome) {
  auto guard = co_await on.m.lock();
  outcome = 'w';
  co_await on.changed.wait(guard);
  EXPECT_TRUE(guard);
  EXPECT_FALSE(on.m.try_lock());
  outcome = 'n';
}

task<> wait_for_a_while(shared& on, char& outcome) {
  auto guard = co_await on.m.lock();
  outcome = 'w';
  bool notified = false;
  try {
    notified = co_await on.changed.wait_for(guard, 10ms);
  } catch (const tare::cancelled&) {
    EXPECT_FALSE(guard);
    throw;
  }
  EXPECT_TRUE(guard);
  EXPECT_FALSE(on.m.try_lock());
  outcome = notified ? 'n' : 't';
}

/// What the tasks should have reached.
class model {
 public:
  enum class by : char { one = 'o', all = 'a', time = 't' };

  void wait(std::size_t number, bool limited) {
    waiting_.push_back({.number = number, .limited = limited});
    outcomes[number] = 'w';
  }
  void notify_one(by how = by::one) {
    if (waiting_.empty()) return;
    move_on(waiting_.front(), how);
    waiting_.pop_front();
  }
  void notify_all() {
    while (!waiting_.empty()) notify_one(by::all);
  }
  void time_passes() {
    for (const waiter& each : waiting_) {
      if (each.limited) move_on(each, by::time);
    }
    std::erase_if(waiting_, [](const waiter& each) { return each.limited; });
  }
  void cancel(std::size_t number) {
    const auto same = [number](const waiter& each) { return each.number == number; };
    if (std::erase_if(waiting_, same) != 0) outcomes[number] = 'c';
    if (const auto moved = std::ranges::find_if(moved_, same); moved != moved_.end()) {
      outcomes[number] = 'c';
      const by how = moved->how;
      moved_.erase(moved);
      if (how == by::one) notify_one();
    }
  }
  void hold(bool held) {
    held_ = held;
    if (held_) return;
    for (const waiter& each : moved_) finish(each);
    moved_.clear();
  }

  std::string outcomes = std::string(8, ' ');

 private:
  struct waiter {
    std::size_t number;
    bool limited;
    by how = by::one;
  };
  void move_on(waiter each, by how) {
    each.how = how;
    if (held_) {
      moved_.push_back(each);
    } else {
      finish(each);
    }
  }
  void finish(const waiter& each) { outcomes[each.number] = each.how == by::time ? 't' : 'n'; }

  std::deque<waiter> waiting_;
  std::deque<waiter> moved_;  ///< in the queue of the mutex
  bool held_ = false;
};

/// w, l: a task begins to wait, without and with a limit; 1, a: notify one, all; o, y: cancel the oldest, the youngest;
/// h: lock or unlock the mutex; t: the limit passes.
task<> play(const std::string& order) {
  shared on;
  support::cancellable_tasks tasks;
  model expected;
  std::optional<tare::mutex::guard> held;
  for (const char step : order) {
    if ((step == 'w' || step == 'l') && !held) {
      const bool limited = step == 'l';
      const std::size_t number =
          tasks.begin([&](char& outcome) { return limited ? wait_for_a_while(on, outcome) : wait_once(on, outcome); });
      expected.wait(number, limited);
    }
    if (step == '1') {
      on.changed.notify_one();
      expected.notify_one();
    }
    if (step == 'a') {
      on.changed.notify_all();
      expected.notify_all();
    }
    if (step == 't') {
      co_await tare::sleep_for(20ms);
      expected.time_passes();
    }
    if ((step == 'o' || step == 'y') && tasks.size() != 0) {
      const std::size_t number = step == 'o' ? 0 : tasks.size() - 1;
      tasks.cancel(number);
      expected.cancel(number);
    }
    if (step == 'h') {
      if (held) {
        held.reset();
      } else {
        held = on.m.try_lock();
        EXPECT_TRUE(*held) << order;
      }
      expected.hold(held.has_value());
    }
    co_await support::drain();
    EXPECT_EQ(tasks.outcomes(), expected.outcomes) << order;
  }
  held.reset();
  tasks.cancel_all();
  co_await tasks.join();
  EXPECT_TRUE(on.m.try_lock()) << order;
}

TEST(condition_variable, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  // Three tasks wait; what follows is the question.
  support::for_each_order("1aoyht", 4, [&](const std::string& order) {
    for (const char* begin : {"www", "wlw", "lwl", "lww"}) rt.run(play(begin + order));
  });
  support::for_each_order("wl1oht", 4, [&](const std::string& order) { rt.run(play(order)); });
}

TEST(condition_variable, a_task_that_is_already_cancelled_gives_up_the_lock) {
  auto body = []() -> task<> {
    shared on;
    tare::scope s;
    auto waits = [](shared& of, tare::scope& own) -> task<> {
      auto guard = co_await of.m.lock();
      own.cancel();
      bool cancelled = false;
      try {
        co_await of.changed.wait(guard);
      } catch (const tare::cancelled&) {
        cancelled = true;
      }
      EXPECT_TRUE(cancelled);
      EXPECT_FALSE(guard);
      EXPECT_TRUE(of.m.try_lock());
    };
    s.spawn(waits(on, s));
    co_await s.join();
  };
  tare::run(body());
}

TEST(condition_variable, a_notified_task_that_has_the_mutex_is_not_cancelled) {
  auto body = []() -> task<> {
    shared on;
    support::cancellable_tasks tasks;
    (void)tasks.begin([&](char& outcome) { return wait_once(on, outcome); });
    (void)tasks.begin([&](char& outcome) { return wait_once(on, outcome); });
    co_await support::drain();
    on.changed.notify_one();
    tasks.cancel(0);  // too late
    co_await support::drain();
    EXPECT_EQ(tasks.outcomes().substr(0, 2), "nw");
    tasks.cancel_all();
    co_await tasks.join();
  };
  tare::run(body());
}

/// The task is woken once, whichever of them comes first.
TEST(condition_variable, a_limit_and_a_cancellation_may_come_in_the_same_tick) {
  auto body = []() -> task<> {
    for (const bool held : {false, true}) {
      for (int outer = 9; outer <= 11; ++outer) {
        shared on;
        tare::scope s;
        auto waits = [](shared& of, std::chrono::milliseconds limit) -> task<> {
          char outcome = '-';
          (void)co_await tare::timeout(limit, wait_for_a_while(of, outcome));
        };
        for (int i = 0; i < 3; ++i) s.spawn(waits(on, std::chrono::milliseconds(outer)));
        co_await support::drain();
        auto guard = held ? on.m.try_lock() : tare::mutex::guard();
        EXPECT_EQ(static_cast<bool>(guard), held);
        co_await tare::sleep_for(10ms);
        if (outer == 11) s.cancel();
        co_await tare::sleep_for(10ms);
        guard.release();
        co_await s.join();
        EXPECT_TRUE(on.m.try_lock());
      }
    }
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(condition_variable, a_queue_between_shards_loses_nothing) {
  struct queue {
    tare::guarded<std::vector<int>> items;
    tare::condition_variable filled;
  };
  constexpr int each = 500;
  tare::runtime rt({.shards = 3});
  queue between;
  auto produce = [](queue& into) -> task<> {
    for (int i = 0; i < each; ++i) {
      auto locked = co_await into.items.lock();
      locked->push_back(i);
      locked.release();
      into.filled.notify_one();
    }
  };
  int sum = 0;
  auto consume = [](queue& from, int& total) -> task<> {
    for (int taken = 0; taken < 2 * each; ++taken) {
      auto locked = co_await from.items.lock();
      while (locked->empty()) co_await from.filled.wait(locked.mutex_guard());
      total += locked->back();
      locked->pop_back();
    }
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn_on(0, consume(between, sum));
      s.spawn_on(1, produce(between));
      s.spawn_on(2, produce(between));
      co_return;
    });
  };
  rt.run(body());
  EXPECT_EQ(sum, each * (each - 1));
}

TEST(condition_variable_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto without_lock = []() -> task<> {
    tare::condition_variable on;
    tare::mutex::guard none;
    co_await on.wait(none);
  };
  EXPECT_DEATH(tare::run(without_lock()), "condition_variable::wait: the guard is empty");
}

}  // namespace
