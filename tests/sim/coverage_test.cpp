// Which lines an exploration has cancelled.

#include "sim/explored.hpp"

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <source_location>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

unsigned line_of_child = 0;
unsigned line_of_parent = 0;
unsigned line_of_group = 0;
unsigned line_never_reached = 0;

unsigned next_line(std::source_location here = std::source_location::current()) { return here.line() + 1; }

task<> child(bool reaches_end) {
  line_of_child = next_line();
  co_await tare::sleep_for(1ms);
  line_never_reached = next_line() + 1;
  if (reaches_end) {
    co_await tare::sleep_for(1ms);
  }
}

task<> scenario() {
  line_of_parent = next_line();
  co_await child(false);
  line_of_group = next_line();
  co_await tare::when_all(child(false), child(false));
}

std::uint64_t cancelled_at(const tare::sim::exploration& seen, unsigned line) {
  const auto found = std::ranges::find_if(seen.lines, [&](const tare::sim::explored_line& each) {
    return each.line == line && each.file.ends_with("coverage_test.cpp");
  });
  EXPECT_NE(found, seen.lines.end()) << "line " << line << " has no await";
  return found == seen.lines.end() ? 0 : found->cancelled;
}

TEST(sim_coverage, names_each_line_that_was_cancelled_and_those_never_reached) {
  const auto seen = tare::testing::explore_every_fault([](world& /*w*/) { return scenario(); });
  EXPECT_EQ(cancelled_at(seen, line_of_child), 3U) << "once awaited, twice in a group";
  EXPECT_EQ(cancelled_at(seen, line_of_parent), 1U);
  EXPECT_EQ(cancelled_at(seen, line_of_group), 1U);
  EXPECT_EQ(cancelled_at(seen, line_never_reached), 0U);
}

TEST(sim_coverage, counts_no_lines_without_a_table) {
  const auto seen = tare::sim::explore({}, [](world& /*w*/) { return scenario(); });
  EXPECT_TRUE(seen.lines.empty());
  EXPECT_EQ(seen.awaits.tried, seen.awaits.possible);
}

}  // namespace
