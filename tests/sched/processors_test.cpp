// The quota of control groups, with files made for the test.

#include "sched/processors.hpp"

#include "support/temporary_folder.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using tare::detail::quota_in_processors;
using files = std::vector<std::pair<std::string, std::string>>;

const std::string v2_mounts =
    "22 1 0:5 / /proc rw,relatime shared:1 - proc proc rw\n"
    "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
const std::string v1_mounts =
    "31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
const std::string v1_group = "12:memory:/jobs/1\n4:cpu,cpuacct:/jobs/1\n2:cpuset:/\n0::/\n";

std::optional<unsigned> quota_of(const files& made_up) {
  const support::temporary_folder folder;
  for (const auto& [name, text] : made_up) {
    const std::filesystem::path path = folder.path().string() + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  return quota_in_processors(folder.path().string());
}

files in_v2(files more, const std::string& group = "0::/app/web\n") {
  more.emplace_back("/proc/self/mountinfo", v2_mounts);
  more.emplace_back("/proc/self/cgroup", group);
  return more;
}
files in_v1(files more, const std::string& group = v1_group) {
  more.emplace_back("/proc/self/mountinfo", v1_mounts);
  more.emplace_back("/proc/self/cgroup", group);
  return more;
}

TEST(processors, without_a_quota_there_is_none) {
  EXPECT_EQ(quota_of({}), std::nullopt);
  EXPECT_EQ(quota_of(in_v2({})), std::nullopt);
  EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/app/web/cpu.max", "max 100000\n"}})), std::nullopt);
  EXPECT_EQ(quota_of(in_v1({{"/sys/fs/cgroup/cpu,cpuacct/jobs/1/cpu.cfs_quota_us", "-1\n"},
                            {"/sys/fs/cgroup/cpu,cpuacct/jobs/1/cpu.cfs_period_us", "100000\n"}})),
            std::nullopt);
}

TEST(processors, a_quota_of_version_2_is_rounded_up) {
  const auto with = [](const std::string& text) { return quota_of(in_v2({{"/sys/fs/cgroup/app/web/cpu.max", text}})); };
  EXPECT_EQ(with("200000 100000\n"), 2U);
  EXPECT_EQ(with("200001 100000\n"), 3U);
  EXPECT_EQ(with("150000 100000\n"), 2U);
  EXPECT_EQ(with("1000 100000\n"), 1U);
  EXPECT_EQ(with("400000 50000"), 8U);
}

TEST(processors, the_least_of_all_groups_above_counts) {
  EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/app/web/cpu.max", "800000 100000\n"},
                            {"/sys/fs/cgroup/app/cpu.max", "300000 100000\n"}})),
            3U);
  EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/app/cpu.max", "300000 100000\n"}})), 3U);
  // In a container, its own group is mounted at the top.
  EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/cpu.max", "500000 100000\n"}}, "0::/\n")), 5U);
  EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/cpu.max", "500000 100000\n"}}, "0::/docker/0123abc\n")), 5U);
  EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/cpu.max", "500000 100000\n"}}, "0::/../other\n")), 5U);
}

TEST(processors, a_quota_of_version_1) {
  const auto with = [](const std::string& quota, const std::string& period) {
    return quota_of(in_v1({{"/sys/fs/cgroup/cpu,cpuacct/jobs/1/cpu.cfs_quota_us", quota},
                           {"/sys/fs/cgroup/cpu,cpuacct/jobs/1/cpu.cfs_period_us", period}}));
  };
  EXPECT_EQ(with("200000\n", "100000\n"), 2U);
  EXPECT_EQ(with("250000\n", "100000\n"), 3U);
  EXPECT_EQ(with("10000\n", "100000\n"), 1U);
  EXPECT_EQ(quota_of(in_v1({{"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n"},
                            {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}},
                           "4:cpuacct,cpu:/docker/0123abc\n")),
            3U);
}

TEST(processors, a_mount_of_a_part_of_the_hierarchy) {
  files made{{"/proc/self/mountinfo", "30 25 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"},
             {"/proc/self/cgroup", "0::/docker/1/web\n"},
             {"/sys/fs/cgroup/web/cpu.max", "200000 100000\n"}};
  EXPECT_EQ(quota_of(made), 2U);
}

TEST(processors, what_makes_no_sense_is_no_quota) {
  for (const std::string text : {"", "\n", "max", "0 100000\n", "100000 0\n", "-5 100000\n", "100000 -1\n", "abc def\n",
                                 "100000\n", "1 2 3\n", "99999999999999999999 1\n", "200000x 100000\n"}) {
    EXPECT_EQ(quota_of(in_v2({{"/sys/fs/cgroup/app/web/cpu.max", text}})), std::nullopt) << text;
  }
  EXPECT_GT(quota_of(in_v2({{"/sys/fs/cgroup/app/web/cpu.max", "9223372036854775807 1\n"}})), 1'000'000U);
  for (const char* const group : {"", "\n", ":\n", "0:\n", "0::\n", "garbage\n", "0::relative\n"}) {
    (void)quota_of(in_v2({}, group));
    (void)quota_of(in_v1({}, group));
  }
  (void)quota_of(
      {{"/proc/self/mountinfo", "1 2 3\n- -\n30 25 0:26 / /sys - cgroup2\n"}, {"/proc/self/cgroup", "0::/\n"}});
}

TEST(processors, there_is_one_at_least_and_a_shard_for_each) {
  const unsigned usable = tare::detail::usable_processors();
  EXPECT_GE(usable, 1U);
  const tare::runtime rt({.shards = 0});
  EXPECT_EQ(rt.shards(), usable);
}

}  // namespace
