#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class when_test : public testing::Test {
 protected:
  template <class T>
  task<T> after(std::chrono::milliseconds time, T value) {
    ++live_;
    try {
      co_await tare::sleep_for(time);
    } catch (...) {
      --live_;
      throw;
    }
    --live_;
    co_return value;
  }
  task<> pause(std::chrono::milliseconds time) { co_await tare::sleep_for(time); }
  task<int> fail_after(std::chrono::milliseconds time) {
    co_await tare::sleep_for(time);
    throw std::runtime_error("failed");
  }
  task<std::chrono::nanoseconds> timed(task<> body) {
    const auto before = tare::now();
    co_await std::move(body);
    co_return tare::now() - before;
  }

  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
  int live_ = 0;
};

TEST_F(when_test, all_gives_all_results) {
  auto body = [&]() -> task<> {
    auto [number, text, nothing] =
        co_await tare::when_all(after(5ms, 1), after(2ms, std::make_unique<std::string>("two")), pause(1ms));
    EXPECT_EQ(number, 1);
    EXPECT_EQ(*text, "two");
    EXPECT_EQ(nothing, std::monostate{});
    co_await tare::when_all(pause(1ms), pause(2ms));
  };
  EXPECT_EQ(rt_.run(timed(body())), 7ms);
}

TEST_F(when_test, all_cancels_the_rest_on_the_first_error) {
  auto body = [&]() -> task<> {
    try {
      co_await tare::when_all(after(1h, 1), after(1ms, std::string("dropped")), fail_after(3ms));
      ADD_FAILURE();
    } catch (const std::runtime_error&) {
      EXPECT_EQ(live_, 0);
    }
  };
  EXPECT_EQ(rt_.run(timed(body())), 3ms);
}

TEST_F(when_test, any_gives_the_first_and_cancels_the_others) {
  auto body = [&]() -> task<> {
    const auto first = co_await tare::when_any(after(5ms, 1), after(2ms, std::string("two")), pause(1h));
    EXPECT_EQ(first.index(), 1U);
    EXPECT_EQ(std::get<1>(first), "two");
    EXPECT_EQ(live_, 0);
  };
  EXPECT_EQ(rt_.run(timed(body())), 2ms);
}

TEST_F(when_test, any_throws_if_the_first_to_end_failed) {
  auto body = [&]() -> task<> {
    try {
      (void)co_await tare::when_any(after(5ms, 1), fail_after(2ms));
      ADD_FAILURE();
    } catch (const std::runtime_error&) {
      EXPECT_EQ(live_, 0);
    }
  };
  rt_.run(body());
}

TEST_F(when_test, ranges) {
  auto body = [&]() -> task<> {
    std::vector<task<int>> tasks;
    tasks.reserve(1000);
    for (int i = 0; i < 1000; ++i) tasks.push_back(after(std::chrono::milliseconds(1000 - i), i));
    const std::vector<int> results = co_await tare::when_all(std::move(tasks));
    EXPECT_EQ(results.size(), 1000U);
    EXPECT_EQ(results[999], 999);

    std::vector<task<int>> race;
    race.reserve(1000);
    for (int i = 0; i < 1000; ++i) race.push_back(after(std::chrono::milliseconds(1000 - i), i));
    const auto [winner, value] = co_await tare::when_any(std::move(race));
    EXPECT_EQ(winner, 999U);
    EXPECT_EQ(value, 999);
    EXPECT_EQ(live_, 0);

    EXPECT_TRUE((co_await tare::when_all(std::vector<task<int>>())).empty());
    co_await tare::when_all(std::vector<task<>>());
  };
  rt_.run(body());
}

TEST_F(when_test, cancelling_the_waiter_cancels_the_branches) {
  auto waiter = [&]() -> task<> { (void)co_await tare::when_all(after(1h, 1), after(1h, 2)); };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(waiter());
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(live_, 2);
    s.cancel();
    co_await s.join();
    EXPECT_EQ(live_, 0);
  };
  rt_.run(body());
}

TEST_F(when_test, timeout_gives_the_result_in_time) {
  auto body = [&]() -> task<> {
    const auto result = co_await tare::timeout(10ms, after(5ms, 7));
    EXPECT_TRUE(result.has_value());
    EXPECT_EQ(*result, 7);
    const auto nothing = co_await tare::timeout(10ms, tare::sleep_for(1ms));
    EXPECT_TRUE(nothing.has_value());
  };
  EXPECT_EQ(rt_.run(timed(body())), 6ms);
}

TEST_F(when_test, timeout_cancels_what_takes_too_long) {
  auto body = [&]() -> task<> {
    const auto result = co_await tare::timeout(10ms, after(1h, 7));
    EXPECT_FALSE(result.has_value());
    EXPECT_EQ(live_, 0);
    const auto nested = co_await tare::timeout(1h, tare::timeout(5ms, after(1h, 7)));
    EXPECT_TRUE(nested.has_value());
    EXPECT_FALSE(nested->has_value());
  };
  EXPECT_EQ(rt_.run(timed(body())), 15ms);
}

TEST_F(when_test, timeout_passes_errors_and_cancellation_on) {
  bool cancelled = false;
  auto waiter = [&]() -> task<> {
    try {
      (void)co_await tare::timeout(1h, after(2h, 7));
    } catch (const tare::cancelled&) {
      cancelled = true;
      throw;
    }
  };
  bool failed = false;
  auto body = [&]() -> task<> {
    try {
      (void)co_await tare::timeout(10ms, fail_after(1ms));
    } catch (const std::runtime_error&) {
      failed = true;
    }
    tare::scope s;
    s.spawn(waiter());
    co_await tare::sleep_for(1ms);
    s.cancel();
    co_await s.join();
  };
  EXPECT_EQ(rt_.run(timed(body())), 2ms);
  EXPECT_TRUE(failed);
  EXPECT_TRUE(cancelled);
}

}  // namespace
