#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::missed_ticks;
using tare::task;
using times = std::vector<std::chrono::steady_clock::duration>;

/// When the ticks of a task arrived that once slept through several.
times ticks_of(missed_ticks policy) {
  times seen;
  auto body = [&]() -> task<> {
    const auto start = tare::now();
    tare::interval every(10ms, policy);
    for (int i = 0; i < 6; ++i) {
      co_await every.tick();
      seen.push_back(tare::now() - start);
      if (i == 1) co_await tare::sleep_for(35ms);
    }
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
  return seen;
}

TEST(interval, makes_up_for_missed_ticks_in_a_burst) {
  EXPECT_EQ(ticks_of(missed_ticks::burst), (times{10ms, 20ms, 55ms, 55ms, 55ms, 60ms}));
}

TEST(interval, skips_missed_ticks) {
  EXPECT_EQ(ticks_of(missed_ticks::skip), (times{10ms, 20ms, 55ms, 60ms, 70ms, 80ms}));
}

TEST(interval, delays_what_follows_a_late_tick) {
  EXPECT_EQ(ticks_of(missed_ticks::delay), (times{10ms, 20ms, 55ms, 65ms, 75ms, 85ms}));
}

TEST(interval, does_not_drift) {
  auto body = []() -> task<> {
    const auto start = tare::now();
    tare::interval every(7ms);
    for (int i = 1; i <= 1000; ++i) {
      co_await every.tick();
      EXPECT_EQ(tare::now(), start + i * 7ms);
      if (i % 3 == 0) co_await tare::sleep_for(2ms);
    }
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(interval, refuses_a_period_that_is_not_positive) {
  auto body = []() -> task<> {
    EXPECT_THROW(tare::interval(0ms), std::invalid_argument);
    EXPECT_THROW(tare::interval(-1ms), std::invalid_argument);
    co_return;
  };
  tare::run(body());
}

}  // namespace
