#include "inspect/live/waiters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace tare::inspect;

live_snapshot with_stacks(std::size_t sites, std::vector<stack_node> stacks) {
  live_snapshot made;
  made.sites.resize(sites);
  made.stacks = std::move(stacks);
  return made;
}

stack_node node(std::uint32_t site, std::uint32_t parent, std::uint64_t count) {
  return {.site = site, .parent = parent, .count = count, .bytes = 10 * count, .bytes_with_below = 10 * count};
}

constexpr auto root = stack_node::no_parent;

/// "  2 5 50": by the level indented, the site, count and bytes.
std::vector<std::string> ways(const std::vector<waiter>& all) {
  std::vector<std::string> texts;
  for (const auto& each : all) {
    texts.push_back(std::string(each.level, ' ') + (each.site ? std::to_string(*each.site) : "nobody") + " " +
                    std::to_string(each.count) + " " + std::to_string(each.bytes));
  }
  return texts;
}

TEST(waiters_test, leads_from_the_frames_up_to_the_roots_heaviest_first) {
  const auto of = with_stacks(4, {node(0, root, 9), node(1, 0, 9), node(3, 1, 2), node(2, root, 7), node(3, 3, 5)});
  EXPECT_THAT(ways(waiters_for(of, 3)), testing::ElementsAre("2 5 50", "1 2 20", " 0 2 20"));
  EXPECT_THAT(ways(waiters_for(of, 1)), testing::ElementsAre("0 9 90"));
}

TEST(waiters_test, ways_through_the_same_places_are_one) {
  const auto of = with_stacks(3, {node(0, root, 1), node(1, 0, 1), node(2, 1, 3), node(1, root, 1), node(2, 3, 4)});
  EXPECT_THAT(ways(waiters_for(of, 2)), testing::ElementsAre("1 7 70", " 0 3 30"));
}

TEST(waiters_test, says_for_how_many_no_coroutine_waits) {
  const auto of = with_stacks(2, {node(0, root, 6), node(1, root, 1), node(0, 1, 2)});
  EXPECT_THAT(ways(waiters_for(of, 0)), testing::ElementsAre("nobody 6 60", "1 2 20"));
  EXPECT_THAT(ways(waiters_for(with_stacks(1, {}), 0)), testing::ElementsAre());
}

TEST(waiters_test, stops_at_the_limit) {
  live_snapshot deep = with_stacks(1, {node(0, root, 1)});
  for (std::uint32_t i = 1; i < 1'000; ++i) deep.stacks.push_back(node(0, i - 1, 1));
  EXPECT_THAT(ways(waiters_for(deep, 0, 3)),
              testing::ElementsAre("0 999 9990", " 0 998 9980", "  0 997 9970", "nobody 1 10"));
  EXPECT_EQ(waiters_for(deep, 0, 500, 7).size(), 7U);
}

}  // namespace
