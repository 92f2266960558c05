// Which frame waits for which, for all kinds of links in promises.

#include "inspect/live/target.hpp"
#include "live/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace live_test;
using tare::inspect::live_target;

class live_waiting : public testing::TestWithParam<std::string> {};

TEST_P(live_waiting, is_seen_in_each_promise) {
  const auto file = target("waiting-" + GetParam());
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "that program was not built";
  const auto program = start({file});
  const auto n = program.announced.at("each");
  auto running = live_target::of_process(program.running.pid(), {.stacks = true});
  ASSERT_TRUE(running) << running.error().message;
  const auto snapshot = running->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  counts expected;
  for (const std::string link : {"untyped", "to_handle", "synthetic", "tagged", "receiver", "both_ways"}) {
    std::string way;
    for (const std::string name : {"root", "upper", "lower", "leaf"}) {
      if (!way.empty()) way += "/";
      way.append(name).append("<").append(link).append(">");
      expected[way] = n;
    }
  }
  expected["gather"] = n;
  expected["gather/leaf<counted>"] = 3 * n;
  // Through the state that they share on the heap, and not through the scheduler's queue.
  expected["collect"] = n;
  expected["collect/leaf<in_heap>"] = 2 * n;
  expected["waits_for_shared"] = 2 * n;
  expected["waits_for_shared/leaf<shared>"] = n;
  // They are linked in a list, which is not waiting.
  expected["sibling"] = n;
  // The root's own link points down to the lowest frame.
  expected["branch"] = n;
  expected["branch/branch"] = n;
  expected["branch/branch/branch"] = n;
  expected["branch/branch/branch/branch"] = n;
  EXPECT_EQ(ways(*snapshot), expected);
}

INSTANTIATE_TEST_SUITE_P(targets, live_waiting, testing::Values("clang-O0", "clang-O2", "gcc-O0", "gcc-O2"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
