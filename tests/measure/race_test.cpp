#include "measure/race/race.hpp"

#include "base/file_descriptor.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/eventfd.h>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace tare::measure;
using namespace tare::base;

/// A peer as a shell script; $1 is the workload, $2 the number of tasks.
peer shell_peer(const std::string& name, std::string script) {
  peer made;
  made.name = name;
  made.title = "the " + name;
  made.run = {"sh", "-c", std::move(script), "sh", "{workload}", "{n}"};
  return made;
}

/// Holds one byte per task, and stops itself, because a child process would add weight.
constexpr const char* hoard =
    "x=$(head -c $2 /dev/zero | tr '\\0' x); echo spawn_seconds=0.$2; echo READY; kill -STOP $$";

class race_test : public testing::Test {
 protected:
  race_results run(std::vector<peer> peers, std::vector<std::uint64_t> counts, const char* workload = "empty",
                   stop_signal stop = -1) {
    const race_plan plan{.root = folder_.path(),
                         .peers = std::move(peers),
                         .workloads = {find_workload(workload)},
                         .counts = std::move(counts),
                         .repeats = 2,
                         .time_limit = std::chrono::seconds(50)};
    return race(plan,
                {.progress = [this](std::string_view line) { progress_.emplace_back(line); },
                 .complaint = [this](std::string_view line) { complaints_.emplace_back(line); }},
                stop);
  }

  support::temporary_folder folder_;
  std::vector<std::string> progress_;
  std::vector<std::string> complaints_;
};

TEST_F(race_test, weighs_every_peer_at_every_size) {
  const auto results = run({shell_peer("a", hoard), shell_peer("b", hoard)}, {1, 8'000'000});
  EXPECT_FALSE(any_failed(results));
  EXPECT_THAT(complaints_, testing::IsEmpty());
  ASSERT_EQ(results.entries.size(), 2U);
  for (const auto* name : {"a", "b"}) {
    const race_entry* entry = results.find(name, "empty");
    ASSERT_NE(entry, nullptr);
    ASSERT_EQ(entry->points.size(), 2U);
    ASSERT_TRUE(entry->weight);
    EXPECT_GT(entry->weight->median, 0.9);
    EXPECT_LT(entry->weight->median, 6);
    EXPECT_EQ(entry->points[0].reported.at("spawn_seconds"), 0.1);
  }
  // In turns.
  EXPECT_THAT(progress_,
              testing::ElementsAre("repeat 1 of 2: empty, n = 1: a", "repeat 1 of 2: empty, n = 1: b",
                                   "repeat 1 of 2: empty, n = 8000000: a", "repeat 1 of 2: empty, n = 8000000: b",
                                   "repeat 2 of 2: empty, n = 1: a", "repeat 2 of 2: empty, n = 1: b",
                                   "repeat 2 of 2: empty, n = 8000000: a", "repeat 2 of 2: empty, n = 8000000: b"));
}

TEST_F(race_test, a_peer_that_fails_is_marked_and_the_others_go_on) {
  peer unbuilt = shell_peer("unbuilt", hoard);
  unbuilt.build = {"sh", "-c", "echo no compiler >&2; exit 4"};
  peer absent = shell_peer("absent", hoard);
  absent.needs = {{.what = need::kind::program, .name = "tare-no-such-command", .hint = "make one"}};
  const auto results = run(
      {shell_peer("crashes", "exit 3"), unbuilt, absent, shell_peer("sound", "echo READY; exec sleep 100")}, {1, 2});
  EXPECT_TRUE(any_failed(results));
  EXPECT_THAT(results.find("crashes", "empty")->failed, testing::HasSubstr("exited with status 3 before READY"));
  EXPECT_THAT(results.find("unbuilt")->failed, testing::HasSubstr("no compiler"));
  EXPECT_EQ(results.find("absent")->absent, "tare-no-such-command is missing; make one");
  EXPECT_EQ(results.find("absent", "empty"), nullptr);
  EXPECT_EQ(results.find("sound", "empty")->points.size(), 2U);
  EXPECT_THAT(complaints_, testing::SizeIs(3));
}

TEST_F(race_test, what_is_absent_is_no_failure) {
  peer absent = shell_peer("absent", hoard);
  absent.needs = {{.what = need::kind::program, .name = "tare-no-such-command", .hint = "make one"}};
  EXPECT_FALSE(any_failed(run({absent}, {1})));
}

TEST_F(race_test, a_peer_runs_only_its_workloads_and_its_numbers) {
  peer other = shell_peer("other", "echo READY; exec sleep 100");
  other.workloads = {"churn"};
  EXPECT_TRUE(run({other}, {1}).entries.empty());
  const auto results = run({other}, {0, 1}, "churn");
  ASSERT_EQ(results.entries.size(), 1U);
  EXPECT_EQ(results.entries[0].points.size(), 2U);
  EXPECT_FALSE(results.entries[0].weight);
}

TEST_F(race_test, what_does_not_fit_into_memory_is_left_out_with_a_note) {
  const auto results = run({shell_peer("a", hoard)}, {1, 8'000'000, 1'000'000'000'000});
  const race_entry* entry = results.find("a", "empty");
  ASSERT_NE(entry, nullptr);
  EXPECT_FALSE(any_failed(results));
  EXPECT_EQ(entry->points.size(), 2U);
  ASSERT_EQ(entry->notes.size(), 1U);
  EXPECT_THAT(entry->notes[0], testing::StartsWith("n = 1000000000000 left out: it would take "));
}

TEST_F(race_test, told_to_stop_it_returns_what_it_has) {
  const file_descriptor stop(::eventfd(1, EFD_CLOEXEC));
  const auto results = run({shell_peer("a", hoard)}, {1}, "empty", stop.get());
  EXPECT_TRUE(results.entries.empty());
  EXPECT_FALSE(any_failed(results));
}

TEST(workload_test, have_names_and_numbers_that_grow) {
  for (const auto& each : workloads()) {
    EXPECT_EQ(find_workload(each.name), &each);
    EXPECT_FALSE(each.title.empty());
    for (const auto counts : {each.counts, each.quick_counts}) {
      EXPECT_FALSE(counts.empty());
      EXPECT_TRUE(std::ranges::is_sorted(counts, std::less_equal{}));
    }
    if (each.what == measures::churn) {
      EXPECT_EQ(each.counts.front(), 0U);
    }
  }
  EXPECT_EQ(find_workload("none"), nullptr);
}

}  // namespace
