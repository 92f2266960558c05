// Budgets, the ratchet, and what changed between two builds: without any binary.

#include "inspect/facts/budget.hpp"

#include "inspect/facts/advice.hpp"
#include "inspect/facts/chain.hpp"
#include "inspect/facts/compare.hpp"
#include "inspect/facts/ratchet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tare::inspect {
namespace {

coroutine make(std::string name, std::uint64_t frame, std::vector<std::string> children = {}) {
  coroutine one;
  one.name = name;
  one.linkage_name = std::move(name);
  one.declared = {.file = "/src/service.cpp", .line = 10};
  one.frame_bytes = frame;
  await_point await;
  await.where = {.file = "/src/service.cpp", .line = 12};
  await.live_bytes = frame / 2;
  await.held_bytes = frame / 4;
  await.dead_bytes = frame - frame / 2 - frame / 4;
  await.children = std::move(children);
  one.awaits.push_back(std::move(await));
  return one;
}

std::string problem(std::string_view text) {
  const auto read = parse_budgets(text, "tare.toml");
  EXPECT_FALSE(read) << text;
  return read ? std::string() : read.error().message;
}

TEST(budget, sizes_are_bytes_or_have_a_unit) {
  EXPECT_EQ(parse_bytes("256"), 256U);
  EXPECT_EQ(parse_bytes("1 KiB"), 1024U);
  EXPECT_EQ(parse_bytes("2kB"), 2000U);
  EXPECT_EQ(parse_bytes("3 MiB"), 3U * 1024 * 1024);
  EXPECT_EQ(parse_bytes(""), std::nullopt);
  EXPECT_EQ(parse_bytes("-1"), std::nullopt);
  EXPECT_EQ(parse_bytes("1 parsec"), std::nullopt);
  EXPECT_EQ(parse_bytes("99999999999999999999"), std::nullopt);
  EXPECT_EQ(parse_bytes("18446744073709551615 KiB"), std::nullopt);
}

TEST(budget, a_mistake_is_told_with_its_line) {
  EXPECT_THAT(problem("[[budget]]\nmatch = \"a\"\nfrmae = 3\n"),
              ::testing::StartsWith("tare.toml:3: unknown key 'frmae'"));
  EXPECT_THAT(problem("[[budget]]\nmatch = \"(\"\nframe = 3\n"),
              ::testing::StartsWith("tare.toml:2: 'match' is no regular"));
  EXPECT_THAT(problem("[[budget]]\nmatch = \"a\"\nframe = 0\n"),
              ::testing::StartsWith("tare.toml:3: 'frame' must be a size"));
  EXPECT_THAT(problem("[[budget]]\nmatch = \"a\"\n"), ::testing::HasSubstr("has a 'frame'"));
  EXPECT_THAT(problem("[[budget]]\nframe = 3\n"), ::testing::HasSubstr("has a 'match'"));
  EXPECT_THAT(problem("[[budget]\n"), ::testing::StartsWith("tare.toml:1: "));
  EXPECT_THAT(problem("budgets = 3\n"), ::testing::StartsWith("tare.toml:1: unknown key 'budgets'"));
}

TEST(budget, what_is_above_is_found_with_its_place) {
  const auto budgets = parse_budgets(
      "[[budget]]\nmatch = \"^serve\"\nframe = 256\nawait = 200\n\n[[budget]]\nfile = \"service\"\nchain = \"1 KiB\"\n",
      "tare.toml");
  ASSERT_TRUE(budgets) << budgets.error().message;
  const std::vector<coroutine> all{make("serve", 400, {"query"}), make("query", 700), make("served_by", 256)};
  const auto found = check_budgets(all, *budgets);
  ASSERT_THAT(found, ::testing::SizeIs(3));
  EXPECT_EQ(found[0].rule, "frame");
  EXPECT_EQ(found[0].bytes, 400U);
  EXPECT_EQ(found[0].limit, 256U);
  EXPECT_EQ(found[0].where.line, 10U);
  EXPECT_THAT(found[0].message, ::testing::HasSubstr("(tare.toml:1)"));
  EXPECT_EQ(found[1].rule, "await");
  EXPECT_EQ(found[1].bytes, 300U);
  EXPECT_EQ(found[1].where.line, 12U);
  EXPECT_EQ(found[2].rule, "chain");
  EXPECT_EQ(found[2].bytes, 1100U);
}

TEST(budget, a_budget_beside_the_coroutine_holds) {
  std::vector<coroutine> all{make("small", 100), make("large", 300)};
  all[0].declared_budget = 100;
  all[1].declared_budget = 299;
  const auto found = check_declared(all);
  ASSERT_THAT(found, ::testing::SizeIs(1));
  EXPECT_EQ(found[0].of, &all[1]);
}

TEST(budget, chains_end_where_they_meet_themselves) {
  const std::vector<coroutine> all{make("a", 10, {"b"}), make("b", 20, {"a", "c", "unknown"}), make("c", 5)};
  const chains ways(all);
  EXPECT_EQ(ways.heaviest(0), 35U);
  EXPECT_EQ(ways.heaviest_child(0), 1U);
  EXPECT_EQ(ways.heaviest(2), 5U);
  EXPECT_EQ(ways.heaviest_child(2), std::nullopt);
}

TEST(ratchet, is_read_as_it_was_written) {
  const std::vector<coroutine> all{make("a<\"x\">", 10), make("b", 20), make("b", 30)};
  const auto recorded = record_frames(all);
  const auto read = parse_ratchet(ratchet_text(recorded), "tare.ratchet.toml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, recorded);
  EXPECT_EQ(read->at("b"), 30U);
}

TEST(ratchet, only_growth_is_a_violation) {
  const ratchet before{{"grew", 10}, {"shrank", 30}, {"same", 20}, {"vanished", 9}};
  const std::vector<coroutine> all{make("grew", 11), make("shrank", 29), make("same", 20), make("new", 1000)};
  const auto found = check_ratchet(all, before);
  ASSERT_THAT(found, ::testing::SizeIs(1));
  EXPECT_THAT(found[0].message, ::testing::HasSubstr("grew from 10 to 11 bytes"));
}

TEST(ratchet, a_mistake_is_told_with_its_line) {
  const auto problem_of = [](std::string_view text) {
    const auto read = parse_ratchet(text, "r.toml");
    EXPECT_FALSE(read);
    return read ? std::string() : read.error().message;
  };
  EXPECT_THAT(problem_of(""), ::testing::HasSubstr("no [frames]"));
  EXPECT_THAT(problem_of("[frames]\n\"a\" = \"b\"\n"), ::testing::StartsWith("r.toml:2: "));
  EXPECT_THAT(problem_of("[frames\n"), ::testing::StartsWith("r.toml:1: "));
}

TEST(advice, names_what_is_kept_without_a_later_use) {
  coroutine one = make("serve", 700);
  const auto variable = [](const char* name, std::uint64_t bytes, byte_state state, field_kind kind) {
    return variable_at_await{.name = name, .type = "char[]", .offset = 0, .bytes = bytes, .state = state, .kind = kind};
  };
  auto& await = one.awaits.front();
  await.known_by = evidence::machine_code;
  await.variables = {variable("used", 128, byte_state::live, field_kind::local),
                     variable("forgotten", 256, byte_state::held, field_kind::local),
                     variable("small", 8, byte_state::held, field_kind::local),
                     variable("partly", 100, byte_state::held, field_kind::local),
                     variable("partly", 4, byte_state::live, field_kind::local),
                     variable("given", 64, byte_state::live, field_kind::parameter)};
  const auto found = advise(one);
  ASSERT_THAT(found, ::testing::SizeIs(2));
  EXPECT_EQ(found[0].bytes, 256U);
  EXPECT_FALSE(found[0].certain);
  EXPECT_EQ(found[0].where.line, 12U);
  EXPECT_THAT(found[0].message, ::testing::HasSubstr("'forgotten'"));
  EXPECT_EQ(found[1].bytes, 64U);
  EXPECT_THAT(found[1].message, ::testing::HasSubstr("'given'"));
  // What is first written behind an await is not over before it.
  one.awaits.push_back(await);
  one.awaits[1].where.line = 15;
  for (auto& each : one.awaits[0].variables) each.touched_later = each.name == "forgotten";
  const auto between = advise(one);
  ASSERT_THAT(between, ::testing::SizeIs(2));
  EXPECT_EQ(between[0].where.line, 15U);
  EXPECT_THAT(between[0].message, ::testing::EndsWith("begin it after the one at :12"));
  one.awaits.resize(1);
  // Where nothing is known about the code, nothing is advised about it.
  one.awaits.front().known_by = evidence::whole_frame;
  EXPECT_THAT(advise(one), ::testing::IsEmpty());
}

TEST(compare, says_what_changed_and_by_which_variables) {
  std::vector<coroutine> before{make("same", 8), make("grew", 10), make("gone", 7)};
  std::vector<coroutine> after{make("same", 8), make("grew", 74), make("new", 5)};
  before[1].fields = {{.name = "n", .type = "int", .offset = 0, .bytes = 4, .kind = field_kind::local}};
  after[1].fields = {{.name = "n", .type = "int", .offset = 0, .bytes = 4, .kind = field_kind::local},
                     {.name = "data", .type = "char[64]", .offset = 8, .bytes = 64, .kind = field_kind::local}};
  const auto changes = compare(before, after);
  ASSERT_THAT(changes, ::testing::SizeIs(3));
  EXPECT_EQ(changes[0].difference, 64);
  ASSERT_THAT(changes[0].fields, ::testing::SizeIs(1));
  EXPECT_EQ(changes[0].fields[0].name, "data");
  EXPECT_EQ(changes[0].fields[0].after, 64U);
  EXPECT_EQ(changes[1].after, nullptr);
  EXPECT_EQ(changes[2].before, nullptr);
  EXPECT_THAT(compare(before, before), ::testing::IsEmpty());
}

}  // namespace
}  // namespace tare::inspect
