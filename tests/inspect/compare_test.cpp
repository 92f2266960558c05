#include "inspect/live/compare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace tare::inspect;

live_site site(std::string function, std::uint32_t line, std::uint64_t count, std::uint64_t each) {
  return {.function = std::move(function),
          .where = {.file = "server.cpp", .line = line},
          .kind = suspension::await,
          .image = "server",
          .frame_bytes = each,
          .count = count,
          .total_bytes = count * each};
}

live_snapshot snapshot(std::int64_t pid, std::vector<live_site> sites) {
  live_snapshot made;
  made.pid = pid;
  made.command = "server";
  made.rss_bytes = 1'000'000;
  for (const auto& each : sites) {
    made.frames += each.count;
    made.frame_bytes += each.total_bytes;
  }
  made.sites = std::move(sites);
  return made;
}

/// "serve:10 5->7 500->700", and where the line has moved "serve:9=10 ...".
std::vector<std::string> rows(const live_snapshot& before, const live_snapshot& after) {
  std::vector<std::string> all;
  for (const auto& each : compare(before, after).sites) {
    const bool moved = each.line_before != 0 && each.line_before != each.where.line;
    all.push_back(each.function + ":" + (moved ? std::to_string(each.line_before) + "=" : "") +
                  std::to_string(each.where.line) + " " + std::to_string(each.count_before) + "->" +
                  std::to_string(each.count_after) + " " + std::to_string(each.bytes_before) + "->" +
                  std::to_string(each.bytes_after));
  }
  return all;
}

TEST(compare_test, the_largest_growth_comes_first_and_the_largest_shrinking_last) {
  const auto before = snapshot(1, {site("a", 1, 10, 100), site("b", 2, 10, 100), site("c", 3, 10, 100)});
  const auto after = snapshot(1, {site("a", 1, 5, 100), site("b", 2, 12, 100), site("c", 3, 30, 100)});
  EXPECT_THAT(rows(before, after),
              testing::ElementsAre("c:3 10->30 1000->3000", "b:2 10->12 1000->1200", "a:1 10->5 1000->500"));
}

TEST(compare_test, totals_are_the_snapshots) {
  auto before = snapshot(1, {site("a", 1, 10, 100)});
  auto after = snapshot(1, {site("a", 1, 4, 100)});
  after.rss_bytes = 900'000;
  const auto change = compare(before, after);
  EXPECT_EQ(change.frames_difference, -6);
  EXPECT_EQ(change.frame_bytes_difference, -600);
  EXPECT_EQ(change.rss_difference, -100'000);
  EXPECT_EQ(compare(after, before).rss_difference, 100'000);
}

TEST(compare_test, what_is_in_one_only_is_new_or_gone) {
  EXPECT_THAT(rows(snapshot(1, {site("a", 1, 2, 10)}), snapshot(1, {site("b", 1, 3, 10)})),
              testing::ElementsAre("b:1 0->3 0->30", "a:1 2->0 20->0"));
}

TEST(compare_test, another_kind_or_file_is_another_site) {
  auto ended = site("a", 1, 2, 10);
  ended.kind = suspension::final;
  auto elsewhere = site("a", 1, 3, 10);
  elsewhere.where.file = "other.cpp";
  EXPECT_THAT(rows(snapshot(1, {site("a", 1, 1, 10)}), snapshot(2, {ended, elsewhere})),
              testing::ElementsAre("a:1 0->3 0->30", "a:1 0->2 0->20", "a:1 1->0 10->0"));
}

TEST(compare_test, two_awaits_on_one_line_count_together) {
  EXPECT_THAT(rows(snapshot(1, {site("a", 1, 1, 10), site("a", 1, 2, 10)}), snapshot(1, {site("a", 1, 5, 10)})),
              testing::ElementsAre("a:1 3->5 30->50"));
}

TEST(compare_test, in_another_build_lines_are_matched_in_their_order) {
  const auto before = snapshot(1, {site("a", 20, 7, 10), site("a", 10, 1, 10)});
  EXPECT_THAT(rows(before, snapshot(2, {site("a", 12, 2, 10), site("a", 22, 9, 10)})),
              testing::ElementsAre("a:20=22 7->9 70->90", "a:10=12 1->2 10->20"));
  // Not if there are more of them,
  EXPECT_THAT(rows(before, snapshot(2, {site("a", 12, 2, 10)})),
              testing::ElementsAre("a:12 0->2 0->20", "a:10 1->0 10->0", "a:20 7->0 70->0"));
  // nor if a line agrees,
  EXPECT_THAT(rows(before, snapshot(2, {site("a", 10, 1, 10), site("a", 22, 7, 10)})),
              testing::ElementsAre("a:22 0->7 0->70", "a:10 1->1 10->10", "a:20 7->0 70->0"));
}

TEST(compare_test, lines_do_not_move_within_a_process) {
  EXPECT_THAT(rows(snapshot(1, {site("a", 10, 1, 10)}), snapshot(1, {site("a", 20, 1, 10)})),
              testing::ElementsAre("a:20 0->1 0->10", "a:10 1->0 10->0"));
}

TEST(compare_test, lines_have_not_moved_above_one_that_has_not) {
  EXPECT_THAT(rows(snapshot(1, {site("a", 10, 1, 10), site("z", 99, 1, 10)}),
                   snapshot(2, {site("a", 20, 1, 10), site("z", 99, 1, 10)})),
              testing::ElementsAre("a:20 0->1 0->10", "z:99 1->1 10->10", "a:10 1->0 10->0"));
  // Below it they may have.
  EXPECT_THAT(rows(snapshot(1, {site("b", 5, 1, 10), site("a", 10, 1, 10)}),
                   snapshot(2, {site("b", 5, 1, 10), site("a", 20, 3, 10)})),
              testing::ElementsAre("a:10=20 1->3 10->30", "b:5 1->1 10->10"));
}

}  // namespace
