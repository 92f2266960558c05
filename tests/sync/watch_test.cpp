#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>

namespace {

using namespace std::chrono_literals;
using tare::task;

using receiver = tare::watch<int>::receiver;

task<> wait_once(receiver& mine, std::string& got) {
  try {
    const auto changed = co_await mine.changed();
    got = changed ? "changed" : "closed";
  } catch (const tare::cancelled&) {
    got = "cancelled";
    throw;
  }
}

/// s: set; g: get; w: a task waits; c: it is cancelled; x: close; r: let tasks run.
task<> play(const std::string& order) {
  tare::watch<int> value(0);
  receiver mine = value.subscribe();
  tare::scope waiter;
  std::string got;
  std::string expected;  // of the task that waits, or has waited
  bool waits = false;
  bool closed = false;
  int newest = 0;
  int seen = 0;
  auto settle = [&] {
    if (!waits || (seen == newest && !closed)) return;
    expected = seen == newest ? "closed" : "changed";
    seen = newest;
    waits = false;
  };
  for (const char step : order) {
    switch (step) {
      case 's':
        value.set(++newest);
        break;
      case 'g':
        if (waits) break;
        EXPECT_EQ(mine.get(), newest) << order;
        seen = newest;
        break;
      case 'w':
        if (waits) break;
        co_await waiter.join();
        got.clear();
        expected.clear();
        waits = true;
        waiter.spawn(wait_once(mine, got));
        break;
      case 'x':
        value.close();
        closed = true;
        break;
      case 'c':
        waiter.cancel();
        if (waits) expected = "cancelled";
        waits = false;
        break;
      default:
        break;
    }
    settle();
    co_await support::drain();
    EXPECT_EQ(got, expected) << order;
  }
  EXPECT_EQ(value.get(), newest);
  waiter.cancel();
  co_await waiter.join();
}

TEST(watch, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  support::for_each_order("sgwcx", 6, [&](const std::string& order) { rt.run(play(order)); });
}

TEST(watch, a_change_that_came_before_the_cancellation_is_delivered) {
  auto body = []() -> task<> {
    tare::watch<int> value(0);
    receiver mine = value.subscribe();
    std::string got;
    tare::scope waiter;
    waiter.spawn(wait_once(mine, got));
    co_await tare::yield();
    value.update([](int& number) { number = 5; });
    waiter.cancel();
    co_await waiter.join();
    EXPECT_EQ(got, "changed");
    EXPECT_EQ(mine.get(), 5);
  };
  tare::run(body());
}

TEST(watch, a_copy_of_a_receiver_has_seen_the_same_and_waits_by_itself) {
  auto body = []() -> task<> {
    tare::watch<int> value(0);
    receiver mine = value.subscribe();
    std::string got;
    tare::scope waiter;
    waiter.spawn(wait_once(mine, got));
    co_await tare::yield();
    receiver copy = mine;
    receiver other = value.subscribe();
    other = mine;
    std::string copy_got;
    std::string other_got;
    waiter.spawn(wait_once(copy, copy_got));
    waiter.spawn(wait_once(other, other_got));
    co_await tare::yield();
    EXPECT_EQ(copy_got, "");
    value.set(1);
    co_await waiter.join();
    EXPECT_EQ(got + copy_got + other_got, "changedchangedchanged");
  };
  tare::run(body());
}

class watch_stress : public testing::TestWithParam<unsigned> {};

TEST_P(watch_stress, everybody_sees_the_last_value) {
  constexpr int setters = 3;
  constexpr int each = 300;
  tare::runtime rt({.shards = 3});
  tare::watch<int> value(0);
  std::atomic<int> setting = setters;
  auto sets = [&](unsigned number) -> task<> {
    std::mt19937 random(GetParam() * 100 + number);
    for (int i = 0; i < each; ++i) {
      value.update([](int& current) { ++current; });
      if (random() % 8 == 0) co_await tare::sleep_for(1ms);
    }
    if (--setting == 0) value.close();
  };
  auto watches = [&](unsigned number, receiver mine) -> task<> {
    std::mt19937 random(GetParam() * 100 + 50 + number);
    int last = mine.get();
    for (;;) {
      const auto patience = std::chrono::microseconds(random() % 3 == 0 ? random() % 1500 : 1'000'000);
      if (random() % 2 == 0) {
        const auto changed = co_await tare::timeout(patience, mine.changed());
        if (!changed) continue;
        if (!changed->has_value()) break;
      } else {
        const auto first = co_await tare::select(mine.changed(), tare::sleep_for(patience));
        if (first.index() != 0) continue;
        if (!std::get<0>(first)) break;
      }
      const int now = mine.get();
      EXPECT_GE(now, last);
      last = now;
    }
    EXPECT_EQ(last, setters * each);
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (unsigned i = 0; i < 6; ++i) s.spawn_on(i % 3, watches(i, value.subscribe()));
      for (unsigned i = 0; i < setters; ++i) s.spawn_on(i, sets(i));
      co_return;
    });
  };
  rt.run(body());
}

INSTANTIATE_TEST_SUITE_P(seeds, watch_stress, testing::Range(0U, 4U));

TEST(watch_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto destroyed = []() -> task<> {
    std::optional<tare::watch<int>> value(0);
    receiver mine = value->subscribe();
    std::string got;
    tare::scope waiter;
    waiter.spawn(wait_once(mine, got));
    co_await tare::yield();
    value.reset();
  };
  EXPECT_DEATH(tare::run(destroyed()), "watch::~watch: a task waits for a change");
  auto two_tasks = []() -> task<> {
    tare::watch<int> value(0);
    receiver mine = value.subscribe();
    std::string got;
    co_await tare::when_all(wait_once(mine, got), wait_once(mine, got));
  };
  EXPECT_DEATH(tare::run(two_tasks()), "watch::receiver::changed: another task waits in this receiver");
}

}  // namespace
