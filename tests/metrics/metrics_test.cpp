// The figures of a runtime in Prometheus' text format, beside those of a registry.

#include <tare/metrics.hpp>

#include <tare/tare.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include <chrono>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <string>

namespace {

using namespace std::chrono_literals;
using tare::task;
using testing::HasSubstr;

/// The value of each line that is not a comment, by its name and labels.
std::map<std::string, double> values_of(const std::string& text) {
  std::map<std::string, double> all;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.rfind(' ');
    const bool is_new = all.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second;
    EXPECT_TRUE(is_new) << "twice: " << line;
  }
  return all;
}

task<> yields(int times) {
  for (int i = 0; i < times; ++i) co_await tare::yield();
}

TEST(metrics, have_the_figures_of_a_runtime) {
  tare::runtime rt({.memory_limit = std::size_t{64} << 20U});
  auto sleeps = []() -> task<> { co_await tare::sleep_for(1h); };
  auto spawns = [&]() -> task<> {
    for (int i = 0; i < 3; ++i) tare::spawn(sleeps());
    co_await yields(1);
  };
  rt.run(spawns());
  const tare::runtime_collector figures(rt);
  const std::string text = tare::metrics_text({&figures});
  EXPECT_THAT(text, HasSubstr("# TYPE tare_detached_tasks gauge\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE tare_admissions_refused_total counter\n"));
  const auto values = values_of(text);
  EXPECT_EQ(values.at("tare_detached_tasks"), 3);
  EXPECT_EQ(values.at("tare_memory_limit_bytes"), 64 << 20);
  EXPECT_GT(values.at("tare_frame_bytes"), 0);
  EXPECT_GT(values.at("process_resident_memory_bytes"), 0);
  EXPECT_EQ(values.at("tare_admissions_refused_total"), 0);
  EXPECT_THAT(text, testing::Not(HasSubstr("tare_shard_"))) << "nothing is watched";
}

TEST(metrics, have_those_of_each_watched_shard) {
  tare::runtime rt({.shards = 2, .background = true});
  const tare::shard_watch watch(rt, {.max_slice = 0ns});
  rt.run(yields(50));
  const tare::runtime_collector figures(rt, &watch);
  const auto values = values_of(tare::metrics_text({&figures}));
  std::map<double, double> buckets;  // by their bounds
  const std::string bucket = R"(tare_shard_slice_seconds_bucket{shard="0",le=")";
  for (const auto& [name, value] : values) {
    if (name.starts_with(bucket)) buckets[std::stod(name.substr(bucket.size()))] = value;
  }
  EXPECT_THAT(buckets, testing::ElementsAre(testing::Key(1e-5), testing::Key(1e-4), testing::Key(1e-3),
                                            testing::Key(1e-2), testing::Key(0.1), testing::Key(1),
                                            testing::Key(std::numeric_limits<double>::infinity())));
  double below = 0;
  for (const auto& [bound, count] : buckets) {
    EXPECT_GE(count, below) << "buckets are cumulative";
    below = count;
  }
  EXPECT_GE(below, 50);
  EXPECT_EQ(values.at("tare_shard_slice_seconds_count{shard=\"0\"}"), below);
  EXPECT_GT(values.at("tare_shard_slice_seconds_sum{shard=\"0\"}"), 0);
  for (const char* const name :
       {"tare_shard_busy_seconds_total", "tare_shard_longest_slice_seconds", "tare_shard_queued_tasks",
        "tare_shard_tasks", "tare_shard_timer_delay_seconds_count"}) {
    for (const char* const shard : {"{shard=\"0\"}", "{shard=\"1\"}"})
      EXPECT_TRUE(values.contains(std::string(name) + shard)) << name;
  }
}

TEST(metrics, stand_beside_those_of_a_registry) {
  prometheus::Registry registry;
  auto& logins = prometheus::BuildCounter().Name("logins_total").Help("Logins.").Register(registry);
  logins.Add({{"method", "pass\"word\n"}}).Increment(2);
  tare::runtime rt;
  const tare::runtime_collector figures(rt);
  const std::string text = tare::metrics_text({&registry, &figures});
  EXPECT_EQ(values_of(text).at(R"(logins_total{method="pass\"word\n"})"), 2);
  EXPECT_THAT(text, HasSubstr("tare_frame_bytes "));
  EXPECT_EQ(tare::metrics_text({}), "");
}

}  // namespace
