#include "load/latencies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace tare::load {
namespace {

using std::chrono::nanoseconds;

TEST(latencies, are_as_exact_as_they_claim_at_every_magnitude) {
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed): to be repeatable
  const auto counted = std::make_unique<latencies>();
  std::vector<std::int64_t> values;
  for (int i = 0; i < 50'000; ++i) {
    const auto value = static_cast<std::int64_t>(random() >> (20 + random() % 44));
    values.push_back(value);
    counted->add(nanoseconds(value));
  }
  std::ranges::sort(values);
  EXPECT_EQ(counted->count(), values.size());
  EXPECT_EQ(counted->longest(), nanoseconds(values.back()));
  for (const double share : {0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(values.size()))));
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto reported = static_cast<double>(counted->percentile(share).count());
    EXPECT_GE(reported, exact) << share;
    EXPECT_LE(reported, exact * 1.001 + 1) << share;
  }
}

TEST(latencies, know_what_to_say_of_none_and_of_extremes) {
  const auto counted = std::make_unique<latencies>();
  EXPECT_EQ(counted->percentile(0.5), nanoseconds(0));
  counted->add(nanoseconds(-5));  // a clock that has gone backwards
  EXPECT_EQ(counted->percentile(1), nanoseconds(0));
  counted->add(std::chrono::hours(24 * 365));
  EXPECT_EQ(counted->longest(), std::chrono::hours(24 * 365));
  EXPECT_GT(counted->percentile(1), std::chrono::hours(4));
  EXPECT_EQ(counted->count(), 2U);
}

}  // namespace
}  // namespace tare::load
