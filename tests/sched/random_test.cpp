#include <tare/detail/random.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <thread>

namespace {

using tare::detail::random_below;

TEST(random_test, stays_below_its_bound_and_reaches_every_value) {
  std::array<int, 7> seen{};
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(random_below(1), 0U);
    ++seen.at(random_below(seen.size()));
    EXPECT_LT(random_below(std::size_t{1} << 32U), std::size_t{1} << 32U);
  }
  for (const int count : seen) EXPECT_GT(count, 0);
}

TEST(random_test, differs_between_threads) {
  std::array<std::array<std::size_t, 4>, 2> drawn{};
  for (auto& each : drawn) {
    std::thread([&each] {
      for (auto& value : each) value = random_below(std::size_t{1} << 32U);
    }).join();
  }
  EXPECT_NE(drawn[0], drawn[1]);
}

}  // namespace
