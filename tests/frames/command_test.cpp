// tare frames, tare check and tare diff as commands.

#include "cli/tare_command.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace {

using cli_test::run_tare;

std::filesystem::path objects() { return support::path::objects; }

class frames_command : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(objects() / "pie")) GTEST_SKIP() << "clang 22 is not there to build the objects";
  }
  std::string write(const std::string& name, const std::string& text) {
    const auto file = folder_ / name;
    std::ofstream(file) << text;
    return file.string();
  }
  support::temporary_folder folder_;
  const std::string binary_ = objects() / "pie";
  const std::string without_coroutines_ = support::path::without_coroutines;
};

TEST_F(frames_command, frames_prints_a_table_heaviest_first) {
  const auto ended = run_tare({"frames", binary_});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, ::testing::StartsWith("coroutine"));
  EXPECT_THAT(ended.output, ::testing::HasSubstr("corpus::leaf(int)"));
  EXPECT_THAT(ended.output, ::testing::HasSubstr("small.cpp:"));
}

TEST_F(frames_command, frames_selects_and_sorts) {
  const auto made = run_tare({"frames", binary_, "--match", "middle"});
  EXPECT_THAT(made.output, ::testing::HasSubstr("corpus::middle(int)"));
  EXPECT_THAT(made.output, ::testing::Not(::testing::HasSubstr("corpus::leaf(int)")));
  const auto top = run_tare({"frames", binary_, "--top", "1", "--sort", "name"});
  EXPECT_THAT(top.output, ::testing::HasSubstr("corpus::leaf(int)"));
  EXPECT_THAT(top.output, ::testing::Not(::testing::HasSubstr("corpus::top(int)")));
  const auto none = run_tare({"frames", binary_, "--match", "nothing_like_this"});
  EXPECT_EQ(none.status, 0);
  EXPECT_THAT(none.output, ::testing::HasSubstr("no coroutine matches"));
}

TEST_F(frames_command, a_table_of_many_shows_the_heaviest) {
  const std::string many = objects() / "many";
  const auto all = run_tare({"frames", many, "--top", "0"});
  const auto some = run_tare({"frames", many});
  ASSERT_EQ(some.status, 0) << some.errors;
  constexpr std::ptrdiff_t head = 2;
  const auto in_all = std::ranges::count(all.output, '\n') - head;
  ASSERT_GT(in_all, 100);
  EXPECT_EQ(std::ranges::count(some.output, '\n'), head + 100 + 1);
  EXPECT_THAT(some.output, ::testing::EndsWith("and " + std::to_string(in_all - 100) + " more; --top 0 shows all\n"));
}

TEST_F(frames_command, what_is_selected_is_known_as_well_as_all_of_it) {
  const auto all = run_tare({"frames", binary_, "--json", "-"});
  const auto selected = run_tare({"frames", binary_, "--json", "-", "--match", "."});
  const auto first = run_tare({"frames", binary_, "--json", "-", "--top", "3"});
  ASSERT_EQ(all.status, 0) << all.errors;
  EXPECT_EQ(selected.output, all.output);
  EXPECT_EQ(first.output, all.output);
  EXPECT_GT(nlohmann::json::parse(all.output).at("coroutines").at(0).at("awaits").size(), 1U);
}

TEST_F(frames_command, awaits_lists_what_is_alive) {
  const auto ended = run_tare({"frames", binary_, "--awaits", "--match", "leaf"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.output, ::testing::HasSubstr("before the body"));
  EXPECT_THAT(ended.output, ::testing::HasSubstr("B live"));
  EXPECT_THAT(ended.output, ::testing::HasSubstr("(padding)"));
}

TEST_F(frames_command, the_tree_starts_at_the_named_coroutine) {
  const auto ended = run_tare({"frames", objects() / "pie", "--tree", "corpus::top"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, ::testing::HasSubstr("bytes on the heaviest path from corpus::top(int)"));
  const auto none = run_tare({"frames", binary_, "--tree", "nowhere"});
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.errors, ::testing::HasSubstr("no coroutine is named 'nowhere'"));
  EXPECT_EQ(run_tare({"frames", binary_, "--tree", "a", "--awaits"}).status, 2);
}

TEST_F(frames_command, advice_is_given_in_words) {
  const auto ended = run_tare({"frames", binary_, "--advice"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_FALSE(ended.output.empty());
}

TEST_F(frames_command, json_has_the_documented_keys) {
  const auto ended = run_tare({"frames", binary_, "--json", "-"});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const auto all = nlohmann::json::parse(ended.output);
  EXPECT_EQ(all.at("schema"), 1);
  ASSERT_EQ(all.at("coroutines").size(), 3U);
  for (const auto& each : all.at("coroutines")) {
    for (const char* key : {"name", "linkage_name", "file", "line", "frame_bytes", "awaits"}) {
      EXPECT_TRUE(each.contains(key)) << key;
    }
    for (const auto& await : each.at("awaits")) {
      for (const char* key : {"index", "file", "line", "live_bytes", "held_bytes", "dead_bytes", "variables"}) {
        EXPECT_TRUE(await.contains(key)) << key;
      }
      for (const auto& variable : await.at("variables")) {
        for (const char* key : {"name", "type", "bytes", "offset", "state"}) EXPECT_TRUE(variable.contains(key)) << key;
      }
    }
  }
}

TEST_F(frames_command, html_is_one_page_with_all_of_it) {
  const std::string file = (folder_ / "frames.html").string();
  const auto ended = run_tare({"frames", binary_, "--html", file});
  if (ended.errors.contains("built without the page")) GTEST_SKIP() << ended.errors;
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const std::string page = support::read_file(file);
  constexpr std::string_view opens = R"(<script type="application/json" id="data">)";
  const auto at = page.find(opens);
  ASSERT_NE(at, std::string::npos);
  const auto end = page.find("</script>", at);
  ASSERT_NE(end, std::string::npos);
  const auto all = nlohmann::json::parse(page.substr(at + opens.size(), end - at - opens.size()));
  EXPECT_EQ(all.at("coroutines").size(), 3U);
  // No other file is read.
  EXPECT_THAT(page, ::testing::Not(::testing::ContainsRegex("(src|href)=\"https?:")));
}

TEST_F(frames_command, await_table_is_a_section_for_the_binary) {
  const std::string file = (folder_ / "awaits").string();
  const auto ended = run_tare({"frames", binary_, "--await-table", file});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_EQ(ended.output, "");
  const std::string table = support::read_file(file);
  EXPECT_THAT(table, ::testing::MatchesRegex("tare awaits 1\nbuild [0-9a-f]{40}\n(.*\n)*end\n"));
  EXPECT_THAT(table, ::testing::ContainsRegex("\nf [^\n]*/small\\.cpp\n"));
  for (const char* name : {"leaf", "middle", "top"}) {
    EXPECT_THAT(table,
                ::testing::ContainsRegex(std::string("\nc [0-9a-f]+ [0-9a-f]+ [0-9a-f]+ c [0-9]+ [0-9]+ [0-9]+ 1 "
                                                     "0 [0-9]+ corpus::") +
                                         name + "\\(int\\)\na 0 s 0 [0-9]+\n"))
        << table;
  }
  // It is the same each time.
  EXPECT_EQ(run_tare({"frames", binary_, "--await-table", "-"}).output, table);
  // The separate debug file can be used too.
  const auto separate =
      run_tare({"frames", objects() / "by_id", "--debug-dir", objects() / "ids", "--await-table", "-"});
  EXPECT_EQ(separate.output, table) << separate.errors;
}

TEST_F(frames_command, await_table_of_what_cannot_have_one_is_refused) {
  const auto object = run_tare({"frames", objects() / "object.o", "--await-table", "-"});
  EXPECT_EQ(object.status, 2);
  EXPECT_EQ(object.output, "");
  EXPECT_THAT(object.errors, ::testing::HasSubstr("object.o: it has no build id"));
  const auto symbols_only = run_tare({"frames", objects() / "symbols_only", "--await-table", "-"});
  EXPECT_EQ(symbols_only.status, 2);
  EXPECT_THAT(symbols_only.errors, ::testing::HasSubstr("does not describe a single coroutine: build with -g"));
  EXPECT_EQ(run_tare({"frames", binary_, "--await-table", "-", "--awaits"}).status, 2);
  EXPECT_EQ(run_tare({"frames", binary_, "--await-table", "-", "--json", "-"}).status, 2);
  EXPECT_EQ(run_tare({"frames", binary_, "--await-table", (folder_ / "no" / "folder").string()}).status, 1);
}

TEST_F(frames_command, bad_input_is_one_line_and_status_2) {
  for (const char* name : {"text", "empty", "truncated"}) {
    const auto ended = run_tare({"frames", objects() / name});
    EXPECT_EQ(ended.status, 2) << name;
    EXPECT_THAT(ended.errors, ::testing::StartsWith("tare: ")) << name;
    EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1) << ended.errors;
  }
  EXPECT_EQ(run_tare({"frames", binary_, "--match", "("}).status, 2);
  EXPECT_EQ(run_tare({"frames"}).status, 2);
}

TEST_F(frames_command, a_program_without_coroutines_says_so) {
  const auto ended = run_tare({"frames", without_coroutines_});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, ::testing::HasSubstr("no coroutines found in "));
}

TEST_F(frames_command, a_stripped_program_is_not_said_to_have_no_coroutines) {
  const auto ended = run_tare({"frames", objects() / "stripped_exporting"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, ::testing::HasSubstr("no coroutines found: the file is stripped"));
  EXPECT_THAT(ended.errors, ::testing::HasSubstr("--debug-dir"));
  const auto budget = write("tare.toml", "[[budget]]\nmatch = \"leaf\"\nframe = 100\n");
  const auto checked = run_tare({"check", objects() / "stripped_exporting", "--budget", budget});
  EXPECT_EQ(checked.status, 2) << checked.output;
  EXPECT_THAT(checked.errors, ::testing::HasSubstr("is stripped"));
}

TEST_F(frames_command, check_tells_each_violation_with_its_line) {
  const auto budget = write("tare.toml", "[[budget]]\nmatch = \"leaf\"\nframe = 100\n");
  const auto ended = run_tare({"check", binary_, "--budget", budget});
  EXPECT_EQ(ended.status, 1) << ended.errors;
  EXPECT_THAT(ended.output, ::testing::ContainsRegex("small\\.cpp:[0-9]+: error: the frame of corpus::leaf\\(int\\)"));
  EXPECT_THAT(ended.output, ::testing::HasSubstr("[frame]"));
  // TARE_FRAME_BUDGET(64) in the source.
  EXPECT_THAT(ended.output, ::testing::HasSubstr("[declared]"));
  EXPECT_THAT(ended.output, ::testing::Not(::testing::HasSubstr("corpus::top")));
}

TEST_F(frames_command, check_passes_what_is_within_its_budget) {
  const auto budget = write("tare.toml", "[[budget]]\nmatch = \".\"\nframe = 4096\n");
  const auto ended = run_tare({"check", objects() / "symbols_only", "--budget", budget});
  EXPECT_EQ(ended.status, 2) << "sizes are not known there";
}

TEST_F(frames_command, check_writes_annotations_and_sarif) {
  const auto github = run_tare({"check", binary_, "--format", "github"});
  EXPECT_EQ(github.status, 1);
  EXPECT_THAT(github.output, ::testing::StartsWith("::error file="));
  EXPECT_THAT(github.output, ::testing::HasSubstr(",line="));
  const auto sarif = run_tare({"check", binary_, "--sarif", "-"});
  EXPECT_EQ(sarif.status, 1);
  const auto all = nlohmann::json::parse(sarif.output);
  EXPECT_EQ(all.at("version"), "2.1.0");
  const auto& result = all.at("runs").at(0).at("results").at(0);
  EXPECT_EQ(result.at("ruleId"), "declared");
  EXPECT_GT(result.at("locations").at(0).at("physicalLocation").at("region").at("startLine"), 0);
}

TEST_F(frames_command, the_ratchet_holds_what_was_recorded) {
  const auto file = (folder_ / "ratchet.toml").string();
  const auto recorded = run_tare({"check", binary_, "--record", "--ratchet", file});
  EXPECT_THAT(recorded.output, ::testing::HasSubstr("3 frames recorded"));
  std::string text = support::read_file(file);
  EXPECT_THAT(text, ::testing::HasSubstr("corpus::middle(int)"));
  write("ratchet.toml", "[frames]\n\"corpus::middle(int)\" = 16\n");
  const auto grown = run_tare({"check", binary_, "--ratchet", file});
  EXPECT_EQ(grown.status, 1);
  EXPECT_THAT(grown.output, ::testing::HasSubstr("grew from 16 to "));
}

TEST_F(frames_command, what_is_recorded_can_be_chosen_and_leaves_other_compilers_alone) {
  const auto file = write("ratchet.toml", "[frames.gcc]\n\"corpus::leaf(int)\" = 8\n");
  // Nothing is recorded for clang yet: a note, not a violation.
  const auto other = run_tare({"check", binary_, "--ratchet", file});
  EXPECT_THAT(other.output, ::testing::Not(::testing::HasSubstr("grew from")));
  EXPECT_THAT(other.errors, ::testing::HasSubstr("has no frames of clang"));
  const auto recorded = run_tare({"check", binary_, "--record", "--match", "middle", "--ratchet", file});
  EXPECT_THAT(recorded.output, ::testing::HasSubstr("1 frames recorded"));
  const std::string text = support::read_file(file);
  EXPECT_THAT(text, ::testing::HasSubstr("[frames.clang]"));
  EXPECT_THAT(text, ::testing::HasSubstr("[frames.gcc]"));
  EXPECT_THAT(text, ::testing::HasSubstr("corpus::middle(int)"));
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("corpus::top(int)")));
  EXPECT_EQ(run_tare({"check", binary_, "--match", "middle"}).status, 2) << "only with --record";
  // A file that cannot be read is not replaced.
  const auto wrong = write("wrong.toml", "frames = 3\n");
  EXPECT_EQ(run_tare({"check", binary_, "--record", "--ratchet", wrong}).status, 2);
  EXPECT_EQ(support::read_file(wrong), "frames = 3\n");
}

TEST_F(frames_command, an_empty_budget_file_checks_nothing) {
  for (const char* text : {"", "# nothing yet\n"}) {
    const auto ended = run_tare({"check", without_coroutines_, "--budget", write("tare.toml", text)});
    EXPECT_EQ(ended.status, 2) << ended.output;
    EXPECT_THAT(ended.errors, ::testing::HasSubstr("tare.toml has no [[budget]]"));
    EXPECT_THAT(ended.errors, ::testing::HasSubstr("nothing to check against"));
    EXPECT_EQ(ended.output, "");
    // With other limits it is a note.
    const auto declared = run_tare({"check", binary_, "--budget", write("tare.toml", text)});
    EXPECT_EQ(declared.status, 1);
    EXPECT_THAT(declared.errors, ::testing::HasSubstr("tare.toml has no [[budget]]"));
  }
  const auto optional = run_tare({"check", without_coroutines_, "--optional", "--budget", (folder_ / "none").string()});
  EXPECT_EQ(optional.status, 0) << optional.errors;
  EXPECT_THAT(optional.errors, ::testing::HasSubstr("note: nothing to check against"));
}

TEST_F(frames_command, a_table_is_as_wide_as_the_terminal) {
  const auto whole = run_tare({"frames", objects() / "many", "--top", "0"});
  ASSERT_EQ(whole.status, 0) << whole.errors;
  ::setenv("COLUMNS", "90", 1);  // NOLINT(concurrency-mt-unsafe): there is one thread
  const auto narrow = run_tare({"frames", objects() / "many", "--top", "0"});
  ::unsetenv("COLUMNS");  // NOLINT(concurrency-mt-unsafe): likewise
  EXPECT_EQ(std::ranges::count(narrow.output, '\n'), std::ranges::count(whole.output, '\n'));
  std::istringstream lines(narrow.output);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }), 90)
        << line;
}

TEST_F(frames_command, check_refuses_what_it_cannot_check) {
  EXPECT_EQ(run_tare({"check", binary_, "--budget", (folder_ / "none.toml").string()}).status, 2);
  const auto wrong = run_tare({"check", binary_, "--budget", write("bad.toml", "[[budget]]\nmatch = 3\n")});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.errors, ::testing::HasSubstr("bad.toml:2:9: "));
  const auto nothing = run_tare({"check", without_coroutines_});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.errors, ::testing::HasSubstr("nothing to check against"));
}

TEST_F(frames_command, check_tells_of_a_budget_whose_coroutine_is_gone) {
  const auto ended = run_tare({"check", objects() / "merged"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.errors,
              ::testing::ContainsRegex("merged\\.cpp:[0-9]+: TARE_FRAME_BUDGET\\(64\\) applies to no frame"));
  EXPECT_THAT(ended.errors, ::testing::HasSubstr("its code is in main"));
  // Without debug information it is not known whether it has been removed.
  const auto unknown = run_tare({"check", objects() / "merged_symbols"});
  EXPECT_EQ(unknown.status, 2) << unknown.output;
  EXPECT_THAT(unknown.errors, ::testing::HasSubstr("its frame is not known"));
  EXPECT_THAT(unknown.output, ::testing::IsEmpty());
}

TEST_F(frames_command, check_tells_of_a_budget_that_fits_nothing) {
  const auto budget =
      write("tare.toml", "[[budget]]\nmatch = \"top\"\nframe = 4096\n\n[[budget]]\nmatch = \"tpo\"\nframe = 8\n");
  const auto ended = run_tare({"check", binary_, "--budget", budget});
  EXPECT_THAT(ended.errors, ::testing::HasSubstr("tare.toml:5: no coroutine matches this budget"));
  EXPECT_THAT(ended.errors, ::testing::Not(::testing::HasSubstr("tare.toml:1: ")));
}

TEST_F(frames_command, a_budget_in_a_header_holds_once) {
  const auto ended = run_tare({"check", objects() / "shared_inline"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.errors, ::testing::IsEmpty());
}

TEST_F(frames_command, diff_compares_two_builds) {
  const auto same = run_tare({"diff", binary_, binary_});
  EXPECT_EQ(same.status, 0) << same.errors;
  EXPECT_THAT(same.output, ::testing::HasSubstr("no frame changed in size"));
  const auto other = run_tare({"diff", binary_, without_coroutines_});
  EXPECT_EQ(other.status, 0) << other.errors;
  EXPECT_THAT(other.output, ::testing::StartsWith("vanished:"));
  const auto json = nlohmann::json::parse(run_tare({"diff", without_coroutines_, binary_, "--json", "-"}).output);
  EXPECT_EQ(json.at("changes").size(), 3U);
  EXPECT_EQ(json.at("changes").at(0).at("change"), "appeared");
  EXPECT_EQ(run_tare({"diff", binary_, objects() / "text"}).status, 2);
}

}  // namespace
