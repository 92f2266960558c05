#include <tare/retry.hpp>

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <expected>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::retry_policy;
using tare::task;
using time_point = std::chrono::steady_clock::time_point;
using outcome = std::expected<int, std::string>;

class retry_test : public testing::Test {
 protected:
  /// Fails `failures` times and then gives 7; notes when it is called.
  auto failing(int failures) {
    return [this, failures]() -> task<outcome> {
      calls_.push_back(tare::now());
      if (std::cmp_less_equal(calls_.size(), failures))
        co_return std::unexpected("failure " + std::to_string(calls_.size()));
      co_return 7;
    };
  }
  std::vector<std::chrono::nanoseconds> pauses() const {
    std::vector<std::chrono::nanoseconds> all;
    for (std::size_t i = 1; i < calls_.size(); ++i) all.push_back(calls_[i] - calls_[i - 1]);
    return all;
  }

  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
  std::vector<time_point> calls_;
};

TEST_F(retry_test, stops_with_the_first_value) {
  for (const int failures : {0, 1, 3}) {
    calls_.clear();
    const auto got = rt_.run(tare::retry({.max_attempts = 5}, failing(failures)));
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(*got, 7);
    EXPECT_EQ(calls_.size(), static_cast<std::size_t>(failures) + 1);
  }
}

TEST_F(retry_test, returns_the_last_error_when_no_attempt_is_left) {
  for (const std::size_t attempts : {1U, 2U, 5U}) {
    calls_.clear();
    const auto got = rt_.run(tare::retry({.max_attempts = attempts}, failing(100)));
    EXPECT_EQ(calls_.size(), attempts);
    EXPECT_EQ(got.error(), "failure " + std::to_string(attempts));
  }
}

TEST_F(retry_test, pauses_grow_to_their_limit) {
  const retry_policy policy{.max_attempts = 6, .first_delay = 100ms, .max_delay = 500ms, .factor = 2, .jitter = 0};
  (void)rt_.run(tare::retry(policy, failing(100)));
  EXPECT_EQ(pauses(), (std::vector<std::chrono::nanoseconds>{100ms, 200ms, 400ms, 500ms, 500ms}));
}

TEST_F(retry_test, jitter_shortens_pauses_to_different_lengths) {
  for (const double jitter : {0.25, 1.0}) {
    calls_.clear();
    const retry_policy policy{.max_attempts = 200, .first_delay = 1s, .max_delay = 1s, .factor = 1, .jitter = jitter};
    (void)rt_.run(tare::retry(policy, failing(1000)));
    auto shortest = std::chrono::nanoseconds::max();
    auto longest = std::chrono::nanoseconds::zero();
    for (const auto pause : pauses()) {
      shortest = std::min(shortest, pause);
      longest = std::max(longest, pause);
    }
    // A sleep ends in the first tick of 1 ms at or after its deadline.
    EXPECT_GE(shortest, std::chrono::duration<double>(1 - jitter));
    EXPECT_LE(longest, 1s + 1ms);
    EXPECT_GT(longest - shortest, std::chrono::duration<double>(jitter / 2));
  }
}

TEST_F(retry_test, begins_no_attempt_after_its_time) {
  const retry_policy policy{.first_delay = 1s, .max_delay = 1s, .factor = 1, .jitter = 0, .max_time = 3500ms};
  const auto got = rt_.run(tare::retry(policy, failing(1000)));
  EXPECT_EQ(calls_.size(), 4U) << "at 0, 1, 2 and 3 s";
  EXPECT_EQ(got.error(), "failure 4");
  // Attempts that take long count.
  calls_.clear();
  const auto slow = [this]() -> task<outcome> {
    calls_.push_back(tare::now());
    co_await tare::sleep_for(3s);
    co_return std::unexpected("slow");
  };
  (void)rt_.run(tare::retry(policy, slow));
  EXPECT_EQ(calls_.size(), 1U) << "the second would begin at 4 s";
}

TEST_F(retry_test, repeats_only_what_is_temporary) {
  std::vector<std::string> asked;
  const auto got = rt_.run(tare::retry({}, failing(100), [&](const std::string& error) {
    asked.push_back(error);
    return error != "failure 3";
  }));
  EXPECT_EQ(got.error(), "failure 3");
  EXPECT_EQ(asked, (std::vector<std::string>{"failure 1", "failure 2", "failure 3"}));
}

TEST_F(retry_test, an_exception_ends_it) {
  int calls = 0;
  const auto throws = [&]() -> task<outcome> {
    ++calls;
    co_await tare::sleep_for(1ms);
    throw std::runtime_error("thrown");
  };
  EXPECT_THROW((void)rt_.run(tare::retry({}, throws)), std::runtime_error);
  EXPECT_EQ(calls, 1);
}

TEST_F(retry_test, can_be_cancelled_in_an_attempt_and_in_a_pause) {
  const retry_policy policy{.first_delay = 10s, .max_delay = 10s, .jitter = 0};
  const auto slow = [this]() -> task<outcome> {
    calls_.push_back(tare::now());
    co_await tare::sleep_for(10s);
    co_return std::unexpected("slow");
  };
  for (const auto limit : {5s, 15s, 25s}) {
    calls_.clear();
    auto body = [&]() -> task<> {
      const auto began = tare::now();
      const auto got = co_await tare::timeout(limit, tare::retry(policy, slow));
      EXPECT_FALSE(got.has_value());
      EXPECT_LE(tare::now() - began, limit + 1ms);
    };
    rt_.run(body());
    EXPECT_EQ(calls_.size(), limit < 20s ? 1U : 2U);
  }
}

TEST_F(retry_test, refuses_a_policy_that_cannot_be_kept) {
  const std::vector<retry_policy> wrong{{.max_attempts = 0},
                                        {.first_delay = -1ns},
                                        {.max_delay = -1ns},
                                        {.factor = 0.5},
                                        {.factor = std::numeric_limits<double>::quiet_NaN()},
                                        {.jitter = -0.1},
                                        {.jitter = 1.1},
                                        {.max_time = -1ns}};
  for (const auto& policy : wrong) {
    EXPECT_THROW((void)tare::retry(policy, failing(0)), std::invalid_argument);
  }
}

TEST_F(retry_test, delays_do_not_overflow) {
  const retry_policy policy{.max_attempts = 100,
                            .first_delay = std::chrono::nanoseconds::max(),
                            .max_delay = std::chrono::nanoseconds::max(),
                            .factor = std::numeric_limits<double>::infinity(),
                            .jitter = 0,
                            .max_time = std::chrono::hours(24)};
  const auto got = rt_.run(tare::retry(policy, failing(100)));
  EXPECT_EQ(got.error(), "failure 1");
}

}  // namespace
