// The table of awaits in a binary: what a process reports about itself with it equals what `tare live` sees from
// outside. An unusable table is reported, and everything else continues to work.

#include "inspect/live/target.hpp"
#include "live/program.hpp"
#include "measure/process/run.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace live_test;
using tare::inspect::live_target;
using testing::HasSubstr;

class await_table : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string program = target("awaiting-" + GetParam() + "-O2");
    if (!std::filesystem::exists(program)) GTEST_SKIP() << "it is built with TARE_FRAMES_CORPUS only";
    std::filesystem::copy(program, copy_);
    // For g++, the lines of awaits are in the source, whose name is relative to the checkout.
    std::filesystem::current_path(support::path::checkout);
    run({support::path::command, "frames", copy_, "--await-table", table_});
  }

  static void run(std::vector<std::string> words) {
    const auto ended = tare::measure::run({.arguments = std::move(words), .directory = {}}, patience);
    ASSERT_TRUE(ended) << ended.error().message;
  }
  void add_table() { run({TARE_OBJCOPY, "--add-section=.tare.awaits=" + table_, copy_}); }
  void write_table(const std::string& text) { std::ofstream(table_, std::ios::trunc) << text; }
  [[nodiscard]] std::string table() const { return support::read_file(table_); }
  /// Without symbols and debug information, as after GNU strip and in Debian's packages.
  void strip() { run({"strip", copy_}); }

  /// What the program reports about itself for one kind of frame: "visitor:29".
  static counts announced(const program& by, const std::string& kind) {
    counts all;
    for (const auto& [name, count] : by.announced) {
      if (name.starts_with(kind + "/")) all[name.substr(kind.size() + 1)] = count;
    }
    return all;
  }

  /// The same as `tare live` sees it.
  static counts seen_from_outside(const program& of, std::vector<std::string>& notes) {
    auto opened = live_target::of_process(of.running.pid());
    EXPECT_TRUE(opened) << opened.error().message;
    if (!opened) return {};
    const auto snapshot = opened->snapshot();
    EXPECT_TRUE(snapshot) << snapshot.error().message;
    if (!snapshot) return {};
    notes = snapshot->notes;
    counts all;
    for (const auto& site : snapshot->sites) {
      const std::string name = bare_name(site.function);
      if (!site.where.file.ends_with("awaiting.cpp") || name == "everything" || name == "operator()") continue;
      all[name + ":" + std::to_string(site.where.line)] += site.count;
      EXPECT_EQ(site.total_bytes, site.count * site.frame_bytes) << name;
      EXPECT_GT(site.frame_bytes, 0U) << name;
    }
    return all;
  }

  /// With a table that cannot be used: the program says why, and knows no line.
  void expect_note(const std::string& why) {
    add_table();
    const auto program = start({copy_, "10"});
    EXPECT_THAT(announced(program, "seen"), testing::IsEmpty());
    std::string note = copy_ + ": its await table is not used: " + why;
    std::ranges::replace(note, ' ', '_');
    EXPECT_EQ(announced(program, "note"), (counts{{note, 1}}));
  }

  support::temporary_folder folder_;
  const std::string copy_ = folder_ / "awaiting";
  const std::string table_ = folder_ / "awaits";
};

TEST_P(await_table, tells_a_process_what_it_is) {
  add_table();
  const auto program = start({copy_, "100"});
  const auto truth = announced(program, "true");
  ASSERT_EQ(truth.size(), 6U);
  EXPECT_EQ(announced(program, "seen"), truth);
  EXPECT_THAT(announced(program, "note"), testing::IsEmpty());
  std::vector<std::string> notes;
  EXPECT_EQ(seen_from_outside(program, notes), truth);
}

TEST_P(await_table, is_enough_for_a_program_that_is_stripped) {
  add_table();
  strip();
  const auto program = start({copy_, "100"});
  const auto truth = announced(program, "true");
  EXPECT_EQ(announced(program, "seen"), truth);
  EXPECT_THAT(announced(program, "note"), testing::IsEmpty());
  std::vector<std::string> notes;
  EXPECT_EQ(seen_from_outside(program, notes), truth);
  EXPECT_THAT(notes, testing::Not(testing::Contains(
                         testing::AnyOf(HasSubstr("await table"), HasSubstr("stripped"), HasSubstr("symbol")))));
}

TEST_P(await_table, that_is_not_there_is_missed_once) {
  const auto program = start({copy_, "10"});
  EXPECT_THAT(announced(program, "seen"), testing::IsEmpty());
  const auto notes = announced(program, "note");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes.begin()->first, testing::StartsWith(copy_ + ":_no_await_table,"));
}

TEST_P(await_table, that_is_damaged_is_reported) {
  std::string text = table();
  text.resize(text.size() / 2);
  text.resize(text.rfind('\n') + 1);
  write_table(text);
  expect_note("it is truncated");
}

TEST_P(await_table, of_a_later_version_is_reported) {
  std::string text = table();
  text.replace(0, text.find('\n'), "tare awaits 2");
  write_table(text);
  expect_note("it is of version 2, but only version 1 is supported");
}

TEST_P(await_table, of_another_build_is_reported_inside_and_outside) {
  std::string text = table();
  const auto at = text.find("build ") + 6;
  text[at] = text[at] == '0' ? '1' : '0';
  write_table(text);
  expect_note("it was made for another build");
  strip();
  const auto program = start({copy_, "10"});
  std::vector<std::string> notes;
  EXPECT_THAT(seen_from_outside(program, notes), testing::IsEmpty());
  EXPECT_THAT(notes, testing::Contains(HasSubstr("its await table is not used: it was made for another build")));
}

TEST_P(await_table, that_is_empty_is_reported) {
  write_table("");
  expect_note("it is not an await table");
}

INSTANTIATE_TEST_SUITE_P(compilers, await_table, testing::Values("clang", "gcc"));

}  // namespace
