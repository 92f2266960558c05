// The time that deadlines count from is never too early, whether or not the clock was read for it.

#include "timer/clock.hpp"

#include "timer/virtual_time.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <thread>

namespace {

using namespace std::chrono_literals;
using tare::detail::clock;

std::int64_t steady() { return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

TEST(clock_not_before, is_never_early_and_a_moment_late_at_most) {
  clock real(nullptr);
  // Long enough to measure the rate of the processor's counter, with pauses of all lengths in between.
  const auto end = std::chrono::steady_clock::now() + 200ms;
  std::int64_t pause = 1;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 100; ++i) {
      const std::int64_t before = steady();
      const std::int64_t given = real.not_before();
      const std::int64_t after = steady();
      ASSERT_GE(given, before);
      ASSERT_LE(given, after + clock::late_by);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(pause);
    while (std::chrono::steady_clock::now() < until) {
    }
    pause = pause > 3'000'000 ? 1 : pause * 2;
  }
}

TEST(clock_not_before, is_right_after_a_long_sleep) {
  clock real(nullptr);
  for (int i = 0; i < 3; ++i) {
    (void)real.not_before();
    std::this_thread::sleep_for(2ms);
  }
  std::this_thread::sleep_for(1100ms);  // longer than the period that a rate is computed from
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t before = steady();
    ASSERT_GE(real.not_before(), before);
  }
}

TEST(clock_not_before, is_exact_where_time_is_virtual) {
  const tare::detail::virtual_time simulated(1);
  clock made_up(&simulated);
  EXPECT_EQ(made_up.not_before(), made_up.now());
}

}  // namespace
