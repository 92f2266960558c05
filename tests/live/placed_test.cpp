// Frames that are not at the beginning of their allocation, and the bytes that they take.

#include "inspect/live/target.hpp"
#include "live/program.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace {

using namespace live_test;
using tare::inspect::live_snapshot;
using tare::inspect::live_target;

/// "held<header<16,0>,52>" from the name in any compiler's spelling.
std::string kind_of(const std::string& function) {
  std::string name;
  for (std::size_t at = 0; at < function.size() && function[at] != '('; ++at) {
    const char c = function[at];
    // "16UL", "16ul"
    const bool suffix =
        std::string_view("uUlL").contains(c) && !name.empty() && name.back() >= '0' && name.back() <= '9';
    const bool again =
        suffix || (std::string_view("lL").contains(c) && at > 1 && std::string_view("uU").contains(function[at - 1]) &&
                   function[at - 2] >= '0' && function[at - 2] <= '9');
    if (c != ' ' && !again) name += c;
  }
  const auto begin = name.find("held<");
  return begin == std::string::npos ? name : name.substr(begin);
}

class live_placed : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(target("placed-" + GetParam()))) GTEST_SKIP() << "that program was not built";
  }
  static live_snapshot look(const program& at, bool pools) {
    auto running = live_target::of_process(at.running.pid(), {.pools = pools});
    auto snapshot = running ? running->snapshot() : std::unexpected(running.error());
    if (!snapshot) throw std::runtime_error(snapshot.error().message);
    return std::move(*snapshot);
  }
};

TEST_P(live_placed, behind_a_header_is_certain_and_weighs_what_malloc_gave) {
  const auto program = start({target("placed-" + GetParam())});
  const auto snapshot = look(program, false);
  counts found;
  for (const auto& site : snapshot.sites) {
    const auto kind = kind_of(site.function);
    found[kind] += site.count;
    found["bytes" + kind.substr(kind.find('<'))] += site.total_bytes;
    EXPECT_EQ(site.uncertain, 0U) << site.function;
  }
  for (const auto& [kind, number] : program.announced) {
    if (kind.starts_with("pool")) continue;
    EXPECT_EQ(found[kind], number) << kind;
  }
}

TEST_P(live_placed, in_a_pool_is_left_out_of_small_blocks_and_of_large_ones_alike) {
  const auto program = start({target("placed-" + GetParam())});
  const auto without = look(program, false);
  for (const auto& site : without.sites) EXPECT_FALSE(site.function.contains("pool")) << site.function << site.count;
  const auto of_pools = program.announced.at("pool<20000>,55>") + program.announced.at("pool<300000>,56>");
  EXPECT_GE(without.left_out, of_pools);
  const auto with = look(program, true);
  counts found;
  for (const auto& site : with.sites) {
    if (!site.function.contains("pool")) continue;
    found[kind_of(site.function)] += site.count;
    EXPECT_EQ(site.uncertain, site.count) << site.function;
  }
  EXPECT_EQ(found["held<pool<20000>,55>"], program.announced.at("pool<20000>,55>"));
  EXPECT_EQ(found["held<pool<300000>,56>"], program.announced.at("pool<300000>,56>"));
}

INSTANTIATE_TEST_SUITE_P(targets, live_placed, testing::Values("clang-O0", "clang-O2", "gcc-O0", "gcc-O2"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
