#include "measure/weigh/summary.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::measure::median;
using tare::measure::sample;
using tare::measure::series;
using tare::measure::slope;
using tare::measure::slope_between;
using tare::measure::summarize;

/// A run in which only the RSS matters.
series run_of(std::initializer_list<std::pair<std::uint64_t, std::uint64_t>> resident) {
  series run;
  for (const auto& [n, bytes] : resident) run.push_back({.n = n, .held = {.resident = bytes}});
  return run;
}

TEST(summary_test, the_median_is_the_middle) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({9, 1, 3}), 3);
  EXPECT_EQ(median({9, 1, 3, 4}), 3.5);
  EXPECT_EQ(median({-1, -5}), -3);
}

TEST(summary_test, the_slope_is_without_what_the_program_holds_anyway) {
  const std::vector<series> runs{run_of({{1, 5000}, {101, 15'000}})};
  EXPECT_EQ(slope_between(runs, 1, 101), (slope{100, 100, 100}));
}

TEST(summary_test, the_spread_is_that_of_the_runs) {
  const std::vector<series> runs{run_of({{0, 100}, {10, 1100}}), run_of({{0, 50}, {10, 1250}}),
                                 run_of({{0, 100}, {10, 1000}})};
  EXPECT_EQ(slope_between(runs, 0, 10), (slope{100, 90, 120}));
}

TEST(summary_test, runs_that_lack_a_sample_do_not_count) {
  const std::vector<series> runs{run_of({{0, 100}}), run_of({{10, 7}}), run_of({}), run_of({{0, 0}, {5, 1}, {10, 50}})};
  EXPECT_EQ(slope_between(runs, 0, 10), (slope{5, 5, 5}));
  EXPECT_EQ(slope_between(runs, 0, 20), std::nullopt);
  EXPECT_EQ(slope_between({}, 0, 10), std::nullopt);
}

TEST(summary_test, there_is_no_slope_from_a_count_to_itself_or_back) {
  const std::vector<series> runs{run_of({{0, 100}, {10, 200}})};
  EXPECT_EQ(slope_between(runs, 10, 10), std::nullopt);
  EXPECT_EQ(slope_between(runs, 10, 0), std::nullopt);
}

TEST(summary_test, a_slope_may_be_negative) {
  const std::vector<series> runs{run_of({{0, 1000}, {10, 900}}), run_of({{0, 1000}, {10, 1100}})};
  EXPECT_EQ(slope_between(runs, 0, 10), (slope{0, -10, 10}));
}

TEST(summary_test, summarizes_each_figure_for_itself) {
  const auto run = [](std::uint64_t x, std::chrono::nanoseconds ready) {
    return series{{.n = 8,
                   .held = {.resident = x,
                            .proportional = 100 - x,
                            .anonymous = x + 1,
                            .page_tables = x + 2,
                            .peak = x + 3,
                            .swapped = x + 4},
                   .ready = ready,
                   .cpu = 10ms - ready}};
  };
  const std::vector<series> runs{run(10, 3ms), run(30, 1ms), run(20, 2ms)};
  const auto all = summarize(runs);
  ASSERT_EQ(all.points.size(), 1U);
  EXPECT_EQ(
      all.points[0],
      (sample{
          .n = 8,
          .held = {.resident = 20, .proportional = 80, .anonymous = 21, .page_tables = 22, .peak = 23, .swapped = 24},
          .ready = 2ms,
          .cpu = 8ms}));
  EXPECT_EQ(all.weight, std::nullopt);
}

TEST(summary_test, weighs_from_the_smallest_to_the_largest_count) {
  // The second run was stopped before its largest number of tasks.
  const std::vector<series> runs{run_of({{1, 10}, {11, 500}, {101, 1010}}), run_of({{1, 30}, {11, 700}})};
  const auto all = summarize(runs);
  ASSERT_EQ(all.points.size(), 3U);
  EXPECT_EQ(all.points[0].held.resident, 20U);
  EXPECT_EQ(all.points[1].held.resident, 600U);
  EXPECT_EQ(all.points[2].held.resident, 1010U);
  EXPECT_EQ(all.weight, (slope{10, 10, 10}));
}

TEST(summary_test, nothing_measured_is_an_empty_summary) {
  const auto all = summarize({});
  EXPECT_TRUE(all.points.empty());
  EXPECT_EQ(all.weight, std::nullopt);
}

}  // namespace
