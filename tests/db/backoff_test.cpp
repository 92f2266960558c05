#include "db/backoff.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using tare::db::error;
using tare::db::error_kind;
using tare::db::detail::backoff;

const backoff::time_point start{1h};
const error down(error_kind::unavailable, "", "nobody listens");

/// When the next attempt is allowed, in whole milliseconds after `from`.
std::chrono::milliseconds next_attempt(backoff& of, backoff::time_point from) {
  for (auto later = 0ms; later < 1min; later += 1ms) {
    if (!of.refusal(from + later)) return later;
  }
  return 1min;
}

TEST(db_backoff, lets_everybody_try_while_all_is_well) {
  backoff all(50ms, 1s, 1);
  EXPECT_FALSE(all.refusal(start));
  EXPECT_FALSE(all.refusal(start));
}

TEST(db_backoff, waits_longer_after_each_failure_up_to_the_longest) {
  backoff all(50ms, 400ms, 7);
  auto now = start;
  ASSERT_FALSE(all.refusal(now));
  all.failed(down, now);
  auto most = 50ms;
  for (int failures = 0; failures < 8; ++failures) {
    const auto refused = all.refusal(now);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->message(), "nobody listens");
    const auto waited = next_attempt(all, now);
    EXPECT_GE(waited, most / 2);
    EXPECT_LE(waited, most);
    now += waited;
    all.failed(down, now);
    most = std::min<std::chrono::milliseconds>(most * 2, 400ms);
  }
}

TEST(db_backoff, one_at_a_time_tries_again) {
  backoff all(50ms, 1s, 3);
  all.failed(down, start);
  EXPECT_FALSE(all.refusal(start + 60ms));
  EXPECT_TRUE(all.refusal(start + 60ms));
  EXPECT_TRUE(all.refusal(start + 1h));
  all.succeeded();
  EXPECT_FALSE(all.refusal(start + 60ms));
  EXPECT_FALSE(all.refusal(start + 60ms));
}

TEST(db_backoff, an_attempt_that_is_given_up_lets_the_next_one_through) {
  backoff all(50ms, 1s, 3);
  all.failed(down, start);
  EXPECT_FALSE(all.refusal(start + 60ms));
  all.given_up();
  EXPECT_FALSE(all.refusal(start + 60ms));
}

TEST(db_backoff, attempts_that_fail_together_count_as_one) {
  backoff all(50ms, 10s, 3);
  for (int i = 0; i < 10; ++i) {
    if (i < 5) {
      EXPECT_FALSE(all.refusal(start));
    }
  }
  for (int i = 0; i < 5; ++i) all.failed(down, start);
  EXPECT_LE(next_attempt(all, start), 50ms);
}

TEST(db_backoff, two_pools_do_not_try_at_the_same_time) {
  backoff one(1s, 10s, 0x1234567890abcdefU);
  backoff other(1s, 10s, 0xfedcba0987654321U);
  one.failed(down, start);
  other.failed(down, start);
  EXPECT_NE(next_attempt(one, start), next_attempt(other, start));
}

}  // namespace
