// The values of a frame's variables, read from outside.

#include "inspect/live/target.hpp"
#include "live/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace live_test;
using tare::inspect::live_target;

class live_values : public testing::TestWithParam<std::string> {};

TEST_P(live_values, are_those_of_the_program) {
  const auto file = target("values-" + GetParam());
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "that compiler is not here";
  const auto program = start({file});
  auto running = live_target::of_process(program.running.pid());
  ASSERT_TRUE(running) << running.error().message;
  const auto listed = running->list([](const std::string& name) { return name.contains("hold"); }, 5);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1U);
  const auto view = running->frame(listed->front().address);
  ASSERT_TRUE(view) << view.error().message;
  std::map<std::string, std::string> found;
  for (const auto& field : view->fields) found[field.name] = field.value;

  const std::map<std::string, std::string> expected{
      {"negative", "-42"},
      {"large", "18446744073709551615"},
      {"yes", "true"},
      {"letter", "120 'x'"},
      {"half", "0.5"},
      {"third", "0.25"},
      {"painted", "red"},
      {"unnamed", "9"},
      {"owned", R"("long enough to be on the heap, beyond fifteen")"},
      {"view", R"("long")"},
      {"buffer", R"("in the frame")"},
      {"numbers", "[1, 2, 3, 4, … 6 in all]"},
      {"nested", "{number: 7, in: {left: -8, right: 5}, share: 1.5}"},
      {"nothing", "null"},
      {"wild", "0x10"},
  };
  for (const auto& [name, value] : expected) {
    EXPECT_TRUE(found.contains(name)) << name;
    EXPECT_EQ(found[name], value) << name;
  }
  EXPECT_THAT(found["text"], testing::MatchesRegex(R"(0x[0-9a-f]+ "a \\"quoted\\" text\\x0a")"));
}

TEST_P(live_values, of_a_variable_that_is_used_in_part_is_live) {
  const auto file = target("values-" + GetParam());
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "that compiler is not here";
  const auto program = start({file});
  auto running = live_target::of_process(program.running.pid());
  ASSERT_TRUE(running) << running.error().message;
  const auto listed = running->list([](const std::string& name) { return name.contains("part"); }, 5);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->size(), 1U);
  const auto view = running->frame(listed->front().address);
  ASSERT_TRUE(view) << view.error().message;
  std::uint64_t live = 0;
  for (const auto& field : view->fields) {
    if (field.name == "both" && field.state == tare::inspect::byte_state::live) live += field.bytes;
  }
  EXPECT_GE(live, 64U) << "the second half";
}

INSTANTIATE_TEST_SUITE_P(targets, live_values, testing::Values("clang-O0", "gcc-O0", "gcc-O2"), [](const auto& each) {
  std::string name = each.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
