// Budgets, the ratchet, and what changed between two builds: without any binary.

#include "inspect/facts/budget.hpp"

#include "inspect/facts/advice.hpp"
#include "inspect/facts/advice_rank.hpp"
#include "inspect/facts/chain.hpp"
#include "inspect/facts/compare.hpp"
#include "inspect/facts/ratchet.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

coroutine make(std::string name, std::uint64_t frame, std::vector<std::string> children = {}) {
  coroutine made;
  made.name = name;
  made.linkage_name = std::move(name);
  made.declared = {.file = "/src/service.cpp", .line = 10};
  made.frame_bytes = frame;
  await_point await;
  await.where = {.file = "/src/service.cpp", .line = 12};
  await.live_bytes = frame / 2;
  await.held_bytes = frame / 4;
  await.dead_bytes = frame - frame / 2 - frame / 4;
  await.children = std::move(children);
  made.awaits.push_back(std::move(await));
  return made;
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

TEST(budget, a_mistake_is_reported_with_its_place) {
  EXPECT_EQ(problem("[[budget]]\nmatch = \"a\"\nfrmae = 3\n"),
            "tare.toml:3:1: unknown key 'frmae' in [[budget]]; known: match, file, frame, await, chain");
  EXPECT_EQ(problem("budgets = 3\n"), "tare.toml:1:1: unknown key 'budgets' in the file; known: budget");
  EXPECT_EQ(problem("[[budget]]\nmatch = 3\nframe = 3\n"),
            "tare.toml:2:9: 'match' must be a regular expression in quotes");
  EXPECT_EQ(problem("[[budget]]\nfile = \"\"\nframe = 3\n"),
            "tare.toml:2:8: 'file' must be a regular expression in quotes");
  EXPECT_THAT(problem("[[budget]]\nmatch = \"(\"\nframe = 3\n"),
              ::testing::StartsWith("tare.toml:2:9: 'match' is not a regular expression: "));
  for (const char* size : {"0", "-1", "1.5", "\"1 parsec\"", "true", "[1]", "1099511627777"}) {
    EXPECT_EQ(problem("[[budget]]\nmatch = \"a\"\nframe = " + std::string(size) + "\n"),
              "tare.toml:3:9: 'frame' must be a size above 0 in bytes, such as 256 or \"1 KiB\"");
  }
  EXPECT_EQ(problem("\n[[budget]]\nmatch = \"a\"\n"), "tare.toml:2:1: a budget has a 'frame', an 'await' or a 'chain'");
  EXPECT_EQ(problem("[[budget]]\nframe = 3\n"), "tare.toml:1:1: a budget has a 'match' or a 'file': what it is for");
  EXPECT_EQ(problem("[budget]\nframe = 3\n"), "tare.toml:1:1: 'budget' must be written as [[budget]]");
  EXPECT_EQ(problem("budget = [3]\n"), "tare.toml:1:11: 'budget' must be written as [[budget]]");
  EXPECT_THAT(problem("[[budget]\n"), ::testing::StartsWith("tare.toml:1:"));
  EXPECT_THAT(problem("[[budget]]\nframe = 3\nframe = 4\n"),
              ::testing::AllOf(::testing::StartsWith("tare.toml:3:"), ::testing::HasSubstr(": not valid TOML: ")));
  const auto empty = parse_budgets("", "tare.toml");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->empty());
}

TEST(budget, what_is_not_a_file_is_reported) {
  const support::temporary_folder folder;
  const auto missing = folder / "missing.toml";
  for (const auto& [error, name] : {std::pair("cannot read ", missing), std::pair("", folder.path())}) {
    const auto budgets = read_budgets(name);
    ASSERT_FALSE(budgets);
    EXPECT_THAT(budgets.error().message, ::testing::StartsWith(error + name.string()));
    EXPECT_EQ(budgets.error().kind, base::fault::input);
    const auto ratchet = read_ratchet(name);
    ASSERT_FALSE(ratchet);
    EXPECT_EQ(ratchet.error().message, budgets.error().message);
  }
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

/// Coroutines with the same readable name, like the lambdas of a function, with their lines and bytes.
std::vector<coroutine> lambdas(std::initializer_list<std::pair<std::uint32_t, std::uint64_t>> lines) {
  std::vector<coroutine> all;
  for (const auto& [line, bytes] : lines) {
    all.push_back(make("main::{lambda}::operator()() const", bytes));
    all.back().linkage_name = "_ZZ4mainENKUlvE" + std::to_string(all.size()) + "_clEv";
    all.back().declared = {.file = "main.cpp", .line = line};
  }
  return all;
}

std::vector<std::uint64_t> grown(std::span<const coroutine> now, const ratchet& before) {
  std::vector<std::uint64_t> bytes;
  for (const auto& each : check_ratchet(now, before)) bytes.push_back(each.bytes);
  return bytes;
}

TEST(ratchet, is_read_as_it_was_written) {
  std::vector<coroutine> all{make("a<\"x\">", 10), make("b", 20), make("b", 30), make("clang", 7), make("c", 5)};
  all.back().made_by = producer::gcc;
  for (auto& each : lambdas({{5, 40}, {9, 20}, {7, 30}})) all.push_back(each);
  const auto recorded = record_frames(all);
  const auto read = parse_ratchet(ratchet_text(recorded), "tare.ratchet.toml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, recorded);
  EXPECT_EQ(count_frames(*read), 7U);
  EXPECT_THAT(read->at("clang").at("b"), ::testing::ElementsAre(30)) << "one inline coroutine of two files";
  EXPECT_THAT(read->at("clang").at("main::{lambda}::operator()() const"), ::testing::ElementsAre(40, 30, 20));
  EXPECT_THAT(read->at("gcc").at("c"), ::testing::ElementsAre(5));
  const auto older = parse_ratchet("[frames]\n\"b\" = 30\n", "tare.ratchet.toml");
  ASSERT_TRUE(older);
  EXPECT_THAT(older->at("").at("b"), ::testing::ElementsAre(30));
  EXPECT_EQ(parse_ratchet(ratchet_text(*older), "r"), *older);
}

TEST(ratchet, only_growth_is_a_violation) {
  const ratchet before{{"clang", {{"grew", {10}}, {"shrank", {30}}, {"same", {20}}, {"vanished", {9}}}}};
  std::vector<coroutine> all{make("grew", 11), make("shrank", 29), make("same", 20), make("new", 1000)};
  const auto found = check_ratchet(all, before);
  ASSERT_THAT(found, ::testing::SizeIs(1));
  EXPECT_THAT(found[0].message, ::testing::EndsWith("grew from 10 to 11 bytes"));
  // One compiler's frames are not compared with another's; those of an older file apply to all compilers.
  for (auto& each : all) each.made_by = producer::gcc;
  EXPECT_THAT(check_ratchet(all, before), ::testing::IsEmpty());
  EXPECT_THAT(check_ratchet(all, {{"", before.at("clang")}}), ::testing::SizeIs(1));
}

TEST(ratchet, holds_each_of_several_of_one_name) {
  const auto before = record_frames(lambdas({{5, 48}, {7, 100}, {9, 56}}));
  const auto after = [](auto lines) { return lambdas(lines); };
  using lines = std::initializer_list<std::pair<std::uint32_t, std::uint64_t>>;
  EXPECT_THAT(grown(after(lines{{5, 48}, {7, 100}, {9, 56}}), before), ::testing::IsEmpty());
  // Each grows to the size of another one.
  EXPECT_THAT(grown(after(lines{{5, 56}, {7, 100}, {9, 56}}), before), ::testing::ElementsAre(56));
  EXPECT_THAT(grown(after(lines{{5, 48}, {7, 101}, {9, 56}}), before), ::testing::ElementsAre(101));
  EXPECT_THAT(grown(after(lines{{5, 48}, {7, 100}, {9, 100}}), before), ::testing::ElementsAre(100));
  // Moved in the file.
  EXPECT_THAT(grown(after(lines{{15, 48}, {17, 100}, {29, 56}}), before), ::testing::IsEmpty());
  // One more, one less: growth is found nevertheless.
  EXPECT_THAT(grown(after(lines{{5, 48}, {6, 30}, {7, 100}, {9, 56}}), before), ::testing::IsEmpty());
  const auto one_more = after(lines{{5, 48}, {6, 30}, {7, 100}, {9, 90}});
  EXPECT_THAT(grown(one_more, before), ::testing::ElementsAre(90));
  EXPECT_THAT(check_ratchet(one_more, before)[0].message,
              ::testing::HasSubstr("(4 have this name, and 3 had it when recorded: if it is new, record again)"));
  EXPECT_THAT(grown(after(lines{{5, 48}, {7, 101}}), before), ::testing::ElementsAre(101));
  EXPECT_THAT(grown(after(lines{{5, 48}, {7, 56}}), before), ::testing::IsEmpty());
}

TEST(ratchet, a_mistake_is_reported_with_its_place) {
  const auto problem_of = [](std::string_view text) {
    const auto read = parse_ratchet(text, "r.toml");
    EXPECT_FALSE(read);
    return read ? std::string() : read.error().message;
  };
  const std::string none = "no [frames]: this is not a file of tare check --record";
  const std::string sizes = "a frame is a number of bytes, or a list of such numbers";
  EXPECT_EQ(problem_of(""), "r.toml:1:1: " + none);
  EXPECT_EQ(problem_of("other = 1\n"), "r.toml:1:1: " + none);
  EXPECT_EQ(problem_of("\nframes = 3\n"), "r.toml:2:10: " + none);
  EXPECT_EQ(problem_of("frame = 3\n[frames]\n"), "r.toml:1:1: unknown key 'frame' in the file; known: frames");
  EXPECT_EQ(problem_of("[frames]\n\"a\" = \"b\"\n"), "r.toml:2:7: " + sizes);
  EXPECT_THAT(problem_of("[frames\n"), ::testing::StartsWith("r.toml:1:"));
  EXPECT_EQ(problem_of("[frames.clang]\n\"a\" = [ 1, -1 ]\n"), "r.toml:2:12: " + sizes);
  EXPECT_EQ(problem_of("[frames.clang]\n\"a\" = []\n"), "r.toml:2:7: " + sizes);
  EXPECT_EQ(problem_of("[frames.msvc]\n\"a\" = 1\n"), "r.toml:1:9: unknown compiler 'msvc'; known: clang, gcc, rustc");
  EXPECT_THAT(problem_of("[frames.clang]\n\"a\" = 1\n\"a\" = 2\n"),
              ::testing::AllOf(::testing::StartsWith("r.toml:3:"), ::testing::HasSubstr(": not valid TOML: ")));
}

TEST(advice, names_what_is_kept_without_a_later_use) {
  coroutine coroutine = make("serve", 700);
  const auto variable = [](const char* name, std::uint64_t bytes, byte_state state, field_kind kind) {
    return variable_at_await{.name = name, .type = "char[]", .offset = 0, .bytes = bytes, .state = state, .kind = kind};
  };
  auto& await = coroutine.awaits.front();
  await.known_by = evidence::machine_code;
  await.variables = {variable("used", 128, byte_state::live, field_kind::local),
                     variable("forgotten", 256, byte_state::held, field_kind::local),
                     variable("small", 8, byte_state::held, field_kind::local),
                     variable("partly", 100, byte_state::held, field_kind::local),
                     variable("partly", 4, byte_state::live, field_kind::local),
                     variable("given", 64, byte_state::live, field_kind::parameter)};
  const auto found = advise(coroutine);
  ASSERT_THAT(found, ::testing::SizeIs(2));
  EXPECT_EQ(found[0].bytes, 256U);
  EXPECT_FALSE(found[0].certain);
  EXPECT_EQ(found[0].where.line, 12U);
  EXPECT_THAT(found[0].message, ::testing::HasSubstr("'forgotten'"));
  EXPECT_EQ(found[1].bytes, 56U) << "a reference stays";
  EXPECT_THAT(found[1].message, ::testing::HasSubstr("'given'"));
  // A variable that is first written after an await is not finished before it.
  coroutine.awaits.push_back(await);
  coroutine.awaits[1].where.line = 15;
  for (auto& each : coroutine.awaits[0].variables) each.touched_later = each.name == "forgotten";
  const auto between = advise(coroutine);
  ASSERT_THAT(between, ::testing::SizeIs(2));
  EXPECT_EQ(between[0].where.line, 15U);
  EXPECT_THAT(between[0].message, ::testing::EndsWith("begin it after the one at :12"));
  coroutine.awaits.resize(1);
  // If the code is not known, there is no advice about it.
  coroutine.awaits.front().known_by = evidence::whole_frame;
  EXPECT_THAT(advise(coroutine), ::testing::IsEmpty());
}

/// A coroutine that copies a parameter with this number of bytes into its frame.
coroutine copies(std::string name, std::uint64_t bytes, std::vector<std::string> children = {}) {
  coroutine made = make(std::move(name), 2 * bytes, std::move(children));
  made.awaits.front().known_by = evidence::machine_code;
  made.awaits.front().variables = {
      {.name = "p", .type = "t", .bytes = bytes, .state = byte_state::live, .kind = field_kind::parameter}};
  return made;
}

std::vector<std::string> in_order(const std::vector<ranked_advice>& ranked) {
  std::vector<std::string> names;
  for (const auto& each : ranked) names.push_back(each.of->name);
  return names;
}

TEST(advice, that_concerns_one_frame_of_a_process_comes_last) {
  const std::vector<coroutine> all{copies("main::{lambda}::operator()() const", 4096, {"everything()", "shared()"}),
                                   copies("everything()", 2048, {"once_below()"}), copies("once_below()", 1024),
                                   copies("session()", 128, {"shared()"}), copies("shared()", 512)};
  EXPECT_THAT(in_order(rank_advice(all, nullptr)),
              ::testing::ElementsAre("shared()", "session()", "main::{lambda}::operator()() const", "everything()",
                                     "once_below()"));
  // Its frames were counted.
  const frame_counts counts{{"session()", 1'000}, {"shared()", 3}, {"everything()", 40}};
  const auto ranked = rank_advice(all, &counts);
  EXPECT_THAT(in_order(ranked), ::testing::ElementsAre("session()", "everything()", "shared()",
                                                       "main::{lambda}::operator()() const", "once_below()"));
  EXPECT_EQ(ranked[0].all_bytes(), 120'000U);
  EXPECT_EQ(ranked[3].frames, 0U);
}

TEST(compare, types_are_the_same_however_a_compiler_writes_them) {
  const auto with = [](std::string type, std::uint64_t bytes) {
    coroutine made = make("f()", 100 + bytes);
    made.fields = {{.name = "data", .type = std::move(type), .offset = 0, .bytes = bytes, .kind = field_kind::local}};
    return std::vector<coroutine>{std::move(made)};
  };
  const auto changed = [&](const std::string& before, const std::string& after) {
    const auto changes = compare(with(before, 8), with(after, 16));
    EXPECT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].fields.size(), 1U) << before << " and " << after;
    return changes[0].fields.size() == 1 && changes[0].fields[0].before == 8 && changes[0].fields[0].after == 16;
  };
  EXPECT_TRUE(changed("std::array<char, 512UL>", "std::array<char, 512>"));
  EXPECT_TRUE(changed("std::array<char, 512ul>", "std::array<char, 512>"));
  EXPECT_TRUE(changed("a<1u, -2LL, 3>", "a<1, -2, 3ULL>"));
  EXPECT_TRUE(changed("std::vector<long unsigned int>", "std::vector<unsigned long>"));
  EXPECT_TRUE(changed("short unsigned int[4]", "unsigned short[4]"));
  EXPECT_TRUE(changed("long int", "long"));
  // Names are not numbers.
  EXPECT_EQ(compare(with("vector3ul", 8), with("vector3", 16))[0].fields.size(), 2U);
  EXPECT_EQ(compare(with("along int", 8), with("along", 16))[0].fields.size(), 2U);
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
