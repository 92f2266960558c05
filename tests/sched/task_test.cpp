#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using tare::task;

tare::runtime_options virtual_options() { return {.clock = tare::clock_kind::virtual_time}; }

task<int> twice(int n) { co_return 2 * n; }
task<int> twice_later(int n) {
  co_await tare::sleep_for(5ms);
  co_return 2 * n;
}
task<std::unique_ptr<int>> boxed(int n) { co_return std::make_unique<int>(n); }
task<> fails() {
  co_await tare::sleep_for(1ms);
  throw std::runtime_error("no");
}

TEST(task, delivers_its_result) {
  EXPECT_EQ(tare::run(twice(21)), 42);
  tare::runtime rt(virtual_options());
  EXPECT_EQ(rt.run(twice_later(21)), 42);
}

TEST(task, delivers_a_move_only_result_through_levels) {
  auto outer = []() -> task<std::unique_ptr<int>> { co_return co_await boxed(7); };
  EXPECT_EQ(*tare::run(outer()), 7);
}

TEST(task, delivers_a_reference) {
  int value = 1;
  auto refer = [](int& to) -> task<int&> { co_return to; };
  auto outer = [&]() -> task<> {
    int& same = co_await refer(value);
    same = 2;
  };
  tare::run(outer());
  EXPECT_EQ(value, 2);
}

TEST(task, delivers_an_exception_where_it_is_awaited) {
  auto outer = []() -> task<std::string> {
    try {
      co_await fails();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "";
  };
  tare::runtime rt(virtual_options());
  EXPECT_EQ(rt.run(outer()), "no");
  EXPECT_THROW(rt.run(fails()), std::runtime_error);
}

task<> nothing() { co_return; }

TEST(task, ten_million_awaits_do_not_grow_the_stack) {
  auto loop = []() -> task<long> {
    long sum = 0;
    for (int i = 0; i < 10'000'000; ++i) {
      co_await nothing();
      sum += 1;
    }
    co_return sum;
  };
  EXPECT_EQ(tare::run(loop()), 10'000'000);
}

task<int> depth(int n) {
  // Not a conditional expression, because g++ 12 evaluates both of its awaits.
  if (n == 0) co_return 0;
  co_return 1 + co_await depth(n - 1);
}

TEST(task, recursion_does_not_grow_the_stack) { EXPECT_EQ(tare::run(depth(100'000)), 100'000); }

TEST(task, frees_its_frame_when_it_was_never_started) {
  auto counted = std::make_shared<int>(0);
  auto holds = [](std::shared_ptr<int> held) -> task<> {
    co_await tare::sleep_for(1h);
    (void)held;
  };
  {
    task<> unstarted = holds(counted);
    EXPECT_TRUE(unstarted);
    EXPECT_EQ(counted.use_count(), 2);
    task<> moved = std::move(unstarted);
    EXPECT_EQ(counted.use_count(), 2);
  }
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(sleep, lasts_at_least_as_long_as_asked) {
  tare::runtime rt(virtual_options());
  auto nap = []() -> task<std::chrono::nanoseconds> {
    const auto before = tare::now();
    co_await tare::sleep_for(1500us);
    co_return tare::now() - before;
  };
  EXPECT_EQ(rt.run(nap()), 2ms);
}

TEST(sleep, real_clock_sleeps_are_never_short) {
  auto nap = []() -> task<std::chrono::nanoseconds> {
    const auto before = std::chrono::steady_clock::now();
    co_await tare::sleep_for(3ms);
    co_return std::chrono::steady_clock::now() - before;
  };
  EXPECT_GE(tare::run(nap()), 3ms);
}

TEST(sleep, centuries_pass_in_virtual_time) {
  tare::runtime rt(virtual_options());
  auto nap = []() -> task<std::chrono::nanoseconds> {
    const auto before = tare::now();
    co_await tare::sleep_for(std::chrono::years(250));
    co_return tare::now() - before;
  };
  const auto slept = rt.run(nap());
  EXPECT_GE(slept, std::chrono::years(250));
  EXPECT_LT(slept, std::chrono::years(250) * 1.000001);
}

TEST(yield, lets_others_run_first) {
  std::string order;
  auto step = [&](char name) -> task<> {
    order += name;
    co_await tare::yield();
    order += name;
  };
  auto both = [&]() -> task<> {
    tare::scope s;
    s.spawn(step('a'));
    s.spawn(step('b'));
    co_await s.join();
  };
  tare::run(both());
  EXPECT_EQ(order, "abab");
}

}  // namespace
