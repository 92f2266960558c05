// Times that would overflow the arithmetic of clocks.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using tare::missed_ticks;
using tare::task;

task<> sleep_long(nanoseconds time) { co_await tare::sleep_for(time); }

const std::vector<nanoseconds>& long_times() {
  constexpr std::int64_t most = INT64_MAX;
  static const std::vector<nanoseconds> times = [] {
    std::vector<nanoseconds> made;
    for (const std::int64_t left : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1'000'000}, most / 4096, most / 2048,
                                    most / 1024, most / 1024 + 1, most / 2}) {
      made.emplace_back(most - left);
    }
    return made;
  }();
  return times;
}

TEST(for_ever, ends_in_virtual_time) {
  for (const nanoseconds time : long_times()) {
    auto body = [time]() -> task<> { (void)co_await tare::timeout(time, sleep_long(time)); };
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    rt.run(body());
  }
}

TEST(for_ever, is_outlived_by_what_is_shorter) {
  for (const nanoseconds time : long_times()) {
    auto body = [time]() -> task<> {
      tare::spawn(sleep_long(time));
      const auto ended = co_await tare::timeout(24h * 365 * 100, sleep_long(time));
      EXPECT_FALSE(ended.has_value());
    };
    tare::runtime rt({.shards = 2, .clock = tare::clock_kind::virtual_time});
    rt.run(body());
  }
}

TEST(for_ever, is_cancelled_with_the_real_clock) {
  for (const nanoseconds time : long_times()) {
    auto body = [time]() -> task<> {
      tare::spawn(sleep_long(time));
      EXPECT_FALSE((co_await tare::timeout(1ms, sleep_long(time))).has_value());
      auto until = [](steady_clock::time_point when) -> task<> { co_await tare::sleep_until(when); };
      EXPECT_FALSE((co_await tare::timeout(1ms, until(steady_clock::time_point::max()))).has_value());
    };
    tare::run(body());
  }
}

TEST(for_ever, durations_that_are_no_numbers_are_none) {
  using seconds = std::chrono::duration<double>;
  auto body = []() -> task<> {
    const auto begin = tare::now();
    co_await tare::sleep_for(seconds(std::numeric_limits<double>::quiet_NaN()));
    co_await tare::sleep_for(seconds(-std::numeric_limits<double>::infinity()));
    co_await tare::sleep_for(nanoseconds::min());
    co_await tare::sleep_until(steady_clock::time_point::min());
    EXPECT_EQ(tare::now(), begin);
    EXPECT_FALSE(
        (co_await tare::timeout(
             1s,
             sleep_long(tare::detail::saturated_nanoseconds(seconds(std::numeric_limits<double>::infinity())) * 1ns)))
            .has_value());
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(for_ever, an_interval_saturates) {
  constexpr auto last = steady_clock::time_point::max();
  constexpr auto first = steady_clock::time_point::min();
  for (const missed_ticks policy : {missed_ticks::burst, missed_ticks::skip, missed_ticks::delay}) {
    tare::interval long_period(steady_clock::duration::max(), policy);
    EXPECT_EQ(long_period.next(), last);
    (void)long_period.tick();
    EXPECT_EQ(long_period.next(), last);

    tare::interval at_the_end(last, 1s, policy);
    (void)at_the_end.tick();
    EXPECT_EQ(at_the_end.next(), last);

    tare::interval from_the_beginning(first, steady_clock::duration::max(), policy);
    for (int i = 0; i < 4; ++i) (void)from_the_beginning.tick();
    EXPECT_EQ(from_the_beginning.next(), last);

    tare::interval many_missed(first, 1ns, policy);
    (void)many_missed.tick();
    if (policy == missed_ticks::burst) {
      EXPECT_EQ(many_missed.next(), first + 1ns);
    } else {
      EXPECT_LE(many_missed.next(), tare::now() + 1ns);
      EXPECT_GE(many_missed.next(), tare::now() - 1h);
    }
  }
}

}  // namespace
