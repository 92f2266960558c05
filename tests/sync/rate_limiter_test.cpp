#include <tare/rate_limiter.hpp>

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <stdexcept>

namespace {

using namespace std::chrono_literals;
using tare::rate_limit;
using tare::task;
using limiter = tare::rate_limiter<std::uint64_t>;

void in_virtual_time(const std::function<task<>()>& body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(rate_limiter, permits_a_burst_and_then_the_rate) {
  in_virtual_time([]() -> task<> {
    limiter limit({.per_second = 10, .burst = 3});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.try_take(7), 0ns);
    EXPECT_EQ(limit.try_take(7), 100ms);
    EXPECT_EQ(limit.try_take(8), 0ns) << "keys are independent";
    co_await tare::sleep_for(99ms);
    EXPECT_EQ(limit.try_take(7), 1ms) << "a refusal counts nothing";
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(limit.try_take(7), 0ns);
    EXPECT_EQ(limit.try_take(7), 100ms);
    co_await tare::sleep_for(1h);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.try_take(7), 0ns);
    EXPECT_EQ(limit.try_take(7), 100ms) << "a pause gives no more than the burst";
  });
}

TEST(rate_limiter, takes_several_at_once_or_none) {
  in_virtual_time([]() -> task<> {
    limiter limit({.per_second = 10, .burst = 5});
    EXPECT_EQ(limit.try_take(1, 4), 0ns);
    EXPECT_EQ(limit.try_take(1, 2), 100ms);
    EXPECT_EQ(limit.try_take(1, 1), 0ns);
    EXPECT_EQ(limit.try_take(1, 0), 0ns);
    EXPECT_EQ(limit.try_take(1, 5), 500ms);
    EXPECT_THROW((void)limit.try_take(1, 6), std::invalid_argument);
    co_return;
  });
}

TEST(rate_limiter, the_time_it_returns_is_enough_and_not_too_long) {
  in_virtual_time([]() -> task<> {
    for (const double rate : {0.001, 0.7, 3.0, 20.0}) {
      limiter limit({.per_second = rate, .burst = 2});
      EXPECT_EQ(limit.try_take(1, 2), 0ns);
      const auto began = tare::now();
      for (int i = 0; i < 100; ++i) {
        const auto wait = limit.try_take(1);
        EXPECT_GT(wait, 0ns);
        co_await tare::sleep_for(wait);
        EXPECT_EQ(limit.try_take(1), 0ns);
      }
      const std::chrono::duration<double> lasted = tare::now() - began;
      EXPECT_NEAR(lasted.count() * rate, 100, 1);
    }
  });
}

/// Against a bucket of tokens for each key.
TEST(rate_limiter, agrees_with_a_model) {
  in_virtual_time([]() -> task<> {
    static constexpr std::uint32_t burst = 4;
    static constexpr auto interval = 50ms;
    limiter limit({.per_second = 20, .burst = burst});
    struct bucket {
      std::chrono::nanoseconds filled = interval * burst;
      std::chrono::steady_clock::time_point at = tare::now();
    };
    std::map<std::uint64_t, bucket> model;
    std::mt19937 random(1);
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t key = random() % 50;
      const std::uint32_t count = 1 + random() % burst;
      bucket& of = model[key];
      of.filled = std::min<std::chrono::nanoseconds>(interval * burst, of.filled + (tare::now() - of.at));
      of.at = tare::now();
      const auto missing = interval * count - of.filled;
      const auto wait = limit.try_take(key, count);
      if (missing <= 0ns) of.filled = -missing;
      EXPECT_EQ(wait, std::max<std::chrono::nanoseconds>(missing, 0ns));
      if (random() % 4 == 0) co_await tare::sleep_for(std::chrono::milliseconds(random() % 40));
    }
  });
}

TEST(rate_limiter, a_full_table_forgets_and_goes_on) {
  in_virtual_time([]() -> task<> {
    limiter limit({.per_second = 1, .burst = 1, .max_bytes = 4096});
    EXPECT_EQ(limit.capacity(), 256U);
    for (std::uint64_t key = 0; key < 10'000; ++key) EXPECT_EQ(limit.try_take(key), 0ns);
    EXPECT_GE(limit.forgotten(), 10'000U - 256U);
    std::size_t remembered = 0;
    for (std::uint64_t key = 0; key < 10'000; ++key) remembered += limit.try_take(key) > 0ns ? 1U : 0U;
    EXPECT_LE(remembered, 256U);
    // When all have rested, nothing is forgotten early.
    co_await tare::sleep_for(2s);
    const auto before = limit.forgotten();
    EXPECT_EQ(limit.try_take(1), 0ns);
    EXPECT_EQ(limit.forgotten(), before);
  });
}

TEST(rate_limiter, a_busy_key_stays_while_others_come_and_go) {
  in_virtual_time([]() -> task<> {
    limiter limit({.per_second = 1, .burst = 100, .max_bytes = 1024});
    EXPECT_EQ(limit.try_take(1, 100), 0ns);
    for (std::uint64_t key = 2; key < 10'000; ++key) EXPECT_EQ(limit.try_take(key), 0ns);
    EXPECT_EQ(limit.try_take(1), 1s);
    co_return;
  });
}

struct poor_hash {
  std::size_t operator()(std::uint64_t /*key*/) const noexcept { return 1; }
};

TEST(rate_limiter, keys_with_the_same_hash_are_distinct) {
  in_virtual_time([]() -> task<> {
    tare::rate_limiter<std::uint64_t, poor_hash> limit({.per_second = 1, .burst = 1});
    for (std::uint64_t key = 0; key < 8; ++key) EXPECT_EQ(limit.try_take(key), 0ns);
    for (std::uint64_t key = 0; key < 8; ++key) EXPECT_EQ(limit.try_take(key), 1s);
    co_return;
  });
}

TEST(rate_limiter, refuses_limits_that_make_no_sense) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  for (const rate_limit& bad :
       {rate_limit{.per_second = 0}, rate_limit{.per_second = -1}, rate_limit{.per_second = 1.1e6},
        rate_limit{.per_second = infinite}, rate_limit{.per_second = std::numeric_limits<double>::quiet_NaN()},
        rate_limit{.burst = 0}, rate_limit{.per_second = 1e-9}, rate_limit{.per_second = 1e-300},
        rate_limit{.per_second = 1, .burst = 4'000'000'000}, rate_limit{.max_bytes = 127}}) {
    EXPECT_THROW(limiter{bad}, std::invalid_argument) << bad.per_second << ' ' << bad.burst;
  }
}

}  // namespace
