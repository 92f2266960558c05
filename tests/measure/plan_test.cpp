#include "measure/plan/plan.hpp"

#include "measure/plan/weight_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace {

using namespace tare::measure;
using namespace tare::base;
using testing::HasSubstr;

plan_request request() {
  return {.task = {.bytes = 1000, .base_bytes = 10e6, .source = "test"}, .memory = 100'000'000, .reserve = 0.1};
}

TEST(plan_test, divides_the_memory_that_is_left_by_what_a_task_takes) {
  const auto result = plan(request());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->limit, limited_by::memory);
  // 90 MB minus 10 MB, divided by 1,000 bytes and their share of the page tables.
  EXPECT_NEAR(static_cast<double>(result->tasks), 80e6 / 1000, 200);
  EXPECT_LE(result->shares.total(), 90e6);
  EXPECT_GT(shares_at(request(), static_cast<double>(result->tasks) + 1).total(), 90e6);
  // An idle service has 1.2 MiB in the arena besides its tasks, and requests in progress have frames too.
  EXPECT_GE(static_cast<double>(result->frame_limit), result->shares.tasks + result->shares.buffers + 2e6);
  EXPECT_EQ(result->frame_limit % 65536, 0U);
}

TEST(plan_test, finds_descriptors_to_be_the_limit) {
  auto chosen = request();
  chosen.sockets = 1;
  chosen.kernel_bytes = 0;
  chosen.descriptors = 1064;
  const auto result = plan(chosen);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->limit, limited_by::descriptors);
  EXPECT_EQ(result->tasks, 1000U);
  EXPECT_GT(result->by_memory, 70'000U);
  EXPECT_EQ(result->open_files, 1064U);
}

TEST(plan_test, counts_the_kernels_memory_of_sockets) {
  auto chosen = request();
  const auto without = plan(chosen);
  chosen.sockets = 1;
  chosen.kernel_bytes = 1000;
  chosen.descriptors = 0;
  const auto with = plan(chosen);
  ASSERT_TRUE(without && with);
  EXPECT_NEAR(static_cast<double>(with->tasks) * 2, static_cast<double>(without->tasks), 200);
  EXPECT_FALSE(with->by_descriptors);
}

TEST(plan_test, lays_buffers_by_for_what_is_in_flight_by_littles_law) {
  auto chosen = request();
  chosen.rate = 1000;
  chosen.latency = 0.2;
  chosen.buffer_bytes = 50'000;
  const auto result = plan(chosen);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_DOUBLE_EQ(result->in_flight, 200);
  EXPECT_EQ(result->buffer_budget, 10'000'000U);
  // No task has more than one request in flight.
  EXPECT_DOUBLE_EQ(shares_at(chosen, 10).buffers, 10 * 50'000);
  chosen.rate = 0;
  chosen.rate_per_task = 100;
  EXPECT_DOUBLE_EQ(shares_at(chosen, 10).buffers, 10 * 50'000);
}

TEST(plan_test, sizes_requests_that_wait_and_that_respond_separately) {
  auto chosen = request();
  chosen.in_flight = 12'000;
  chosen.max_responding = 16;
  chosen.waiting_bytes = 2'000;
  chosen.buffer_bytes = 100'000;
  const auto shares = shares_at(chosen, 50'000);
  EXPECT_DOUBLE_EQ(shares.waiting, (12'000 - 16) * 2'000.0);
  EXPECT_DOUBLE_EQ(shares.buffers, 16 * 100'000.0);
  EXPECT_DOUBLE_EQ(shares.resident(), 10e6 + 50'000 * 1'000.0 + shares.waiting + shares.buffers);
  // No task has more than one request in flight.
  EXPECT_DOUBLE_EQ(shares_at(chosen, 100).waiting, (100 - 16) * 2'000.0);
  EXPECT_DOUBLE_EQ(shares_at(chosen, 10).waiting, 0);
  EXPECT_DOUBLE_EQ(shares_at(chosen, 10).buffers, 10 * 100'000.0);

  const auto result = plan(chosen);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_DOUBLE_EQ(result->in_flight, 12'000);
  EXPECT_DOUBLE_EQ(result->responding, 16);
  EXPECT_LE(result->shares.total(), 90e6);
  EXPECT_GE(static_cast<double>(result->frame_limit), result->shares.tasks + result->shares.waiting);
}

TEST(plan_test, refuses_figures_that_make_no_sense) {
  const auto refused = [](auto change) {
    auto chosen = request();
    change(chosen);
    const auto result = plan(chosen);
    return result ? std::string() : result.error().message;
  };
  EXPECT_THAT(refused([](auto& chosen) { chosen.memory = 1'000'000; }), HasSubstr("the program alone takes"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.task.bytes = 0; }), HasSubstr("weight of a task"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.rate = -1; }), HasSubstr("rate"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.latency = std::nan(""); }), HasSubstr("latency"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.reserve = 1; }), HasSubstr("reserve"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.max_responding = -1; }), HasSubstr("responding"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.waiting_bytes = std::nan(""); }), HasSubstr("waiting"));
  EXPECT_THAT(refused([](auto& chosen) { chosen.buffer_bytes = std::numeric_limits<double>::infinity(); }),
              HasSubstr("buffers"));
}

constexpr std::string_view weighed = R"({"schema": 1, "results": [
  {"name": "one", "slope_bytes": 100.0, "base_rss_bytes": 1000000,
   "points": [{"n": 1000, "rss_bytes": 1000000}, {"n": 2000, "rss_bytes": 1100000}]},
  {"name": "two", "slope_bytes": null, "base_rss_bytes": 5, "points": [{"n": 1, "rss_bytes": 5}]}]})";

TEST(weight_source_test, reads_what_tare_weigh_has_written) {
  const auto made = parse_weight(weighed, "f.json", {.program = "one"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_DOUBLE_EQ(made->bytes, 100);
  EXPECT_DOUBLE_EQ(made->base_bytes, 900'000) << "without the tasks of the first point";
  EXPECT_THAT(made->source, HasSubstr("f.json"));
}

TEST(weight_source_test, says_what_is_wrong_with_a_file) {
  const auto wrong = [](std::string_view text, std::string program = {}) {
    const auto read = parse_weight(text, "f.json", {.program = std::move(program)});
    return read ? std::string() : read.error().message;
  };
  EXPECT_THAT(wrong(weighed), HasSubstr("several programs"));
  EXPECT_THAT(wrong(weighed, "three"), HasSubstr("no program 'three'; there are: one, two"));
  EXPECT_THAT(wrong(weighed, "two"), HasSubstr("two numbers of tasks"));
  EXPECT_THAT(wrong(R"({"schema": 2, "results": []})"), HasSubstr("schema 2"));
  EXPECT_THAT(wrong("{}"), HasSubstr("no results"));
  EXPECT_THAT(wrong("[1,"), HasSubstr("f.json"));
  EXPECT_THAT(read_weight("/does/not/exist.json", {}).error().message, HasSubstr("/does/not/exist.json"));
}

}  // namespace
