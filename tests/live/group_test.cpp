// Frames are distinguished by how far they have run.

#include "inspect/live/group.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace {

using namespace tare::inspect;

coroutine one(producer made_by, std::vector<await_point> awaits) {
  coroutine made;
  made.name = made_by == producer::gcc ? "of_gcc()" : "of_clang()";
  made.made_by = made_by;
  made.declared = {.file = "a.cpp", .line = 1};
  made.awaits = std::move(awaits);
  return made;
}

await_point place(std::uint64_t index, suspension kind, std::uint32_t line) {
  await_point point;
  point.index = index;
  point.kind = kind;
  point.where = {.file = "a.cpp", .line = line};
  return point;
}

live_snapshot grouped(const std::vector<found_frame>& frames) {
  const std::array<coroutine, 3> coroutines{
      one(producer::clang, {place(0, suspension::initial, 1), place(1, suspension::await, 5)}),
      one(producer::gcc, {place(2, suspension::initial, 1), place(4, suspension::await, 7)}), one(producer::clang, {})};
  live_snapshot into;
  group(frames, coroutines, false, into);
  return into;
}

std::vector<found_frame> frames_of(std::uint32_t coroutine, const std::vector<std::uint32_t>& indexes) {
  std::vector<found_frame> all;
  for (const auto index : indexes) {
    all.push_back({.address = 0x1000 + 64 * all.size(), .coroutine = coroutine, .index = index, .bytes = 64});
  }
  return all;
}

TEST(live_group, tells_frames_that_are_not_started_from_half_built_ones) {
  const auto seen = grouped(frames_of(0, {0, 0, 1, 1, 1, 2, 97}));
  EXPECT_EQ(seen.frames, 7U);
  EXPECT_EQ(seen.not_started, 2U);
  EXPECT_EQ(seen.half_built, 2U);
  ASSERT_EQ(seen.sites.size(), 3U);
  EXPECT_EQ(seen.sites[0].count, 3U);
  EXPECT_FALSE(seen.sites[0].half_built);
  for (const auto& site : seen.sites) EXPECT_EQ(site.half_built, site.count == 2 && site.kind == suspension::await);
}

TEST(live_group, of_gcc_only_zero_is_half_built) {
  const auto seen = grouped(frames_of(1, {0, 2, 4, 6}));
  EXPECT_EQ(seen.not_started, 1U);
  EXPECT_EQ(seen.half_built, 1U) << "an await that was not found in the binary is one all the same";
}

TEST(live_group, nothing_is_half_built_where_no_awaits_are_known) {
  EXPECT_EQ(grouped(frames_of(2, {0, 5})).half_built, 0U);
  EXPECT_EQ(grouped(frames_of(0, {found_frame::no_index})).half_built, 0U);
  auto ended = frames_of(0, {97});
  ended.front().ended = true;
  EXPECT_EQ(grouped(ended).half_built, 0U);
}

}  // namespace
