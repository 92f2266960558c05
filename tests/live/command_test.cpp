// `tare live`, `tare snapshot`, `tare compare` and `tare frames --advice --counts` as commands.

#include "cli/tare_command.hpp"
#include "live/program.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

using namespace live_test;
using cli_test::run_tare;
using testing::ContainsRegex;
using testing::HasSubstr;
using json = nlohmann::json;

class live_command : public testing::Test {
 protected:
  [[nodiscard]] std::string pid() const { return std::to_string(program_.running.pid()); }
  program program_ = start({target("hand_written-gcc-O2"), "2000"});
};

TEST_F(live_command, shows_a_table) {
  const auto shown = run_tare({"live", pid()});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, HasSubstr("suspended frames"));
  EXPECT_THAT(shown.output, ContainsRegex("hand::leaf\\(unsigned long\\) [^\n]*hand_written.cpp:82 [^\n]* 2,000 "));
  EXPECT_THAT(shown.output, ContainsRegex("hand::unstarted[^\n]*not started [^\n]* 200 "));
}

TEST_F(live_command, zero_is_all) {
  const auto all = run_tare({"live", pid(), "--top", "0"});
  EXPECT_EQ(all.status, 0) << all.errors;
  EXPECT_THAT(all.output, HasSubstr("hand::leaf"));
  EXPECT_THAT(all.output, testing::Not(HasSubstr("more places")));
  const auto some = run_tare({"live", pid(), "--top", "2"});
  EXPECT_THAT(some.output, HasSubstr("more places"));
  const auto usual = run_tare({"live", pid(), "--list", "hand::leaf"});
  EXPECT_EQ(std::ranges::count(usual.output, '\n'), 2 + 20) << usual.output;
  const auto listed = run_tare({"live", pid(), "--list", "hand::leaf", "--top", "0"});
  EXPECT_EQ(std::ranges::count(listed.output, '\n'), 2 + 2000);
  const auto tree = run_tare({"live", pid(), "--stacks", "--top", "0"});
  EXPECT_EQ(tree.status, 0) << tree.errors;
  EXPECT_THAT(tree.output, testing::Not(HasSubstr("more")));
}

TEST_F(live_command, shows_who_waits_for_whom) {
  const auto shown = run_tare({"live", pid(), "--stacks"});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, ContainsRegex("2,000  hand::root[^\n]*\n[^\n]*2,000  └─ hand::middle[^\n]*\n"
                                          "[^\n]*2,000     └─ hand::leaf"));
  const auto folded = run_tare({"live", pid(), "--folded", "--weight", "frames"});
  EXPECT_EQ(folded.status, 0) << folded.errors;
  EXPECT_THAT(folded.output, ContainsRegex("(^|\n)hand::root[^;\n]*;hand::middle[^;\n]*;hand::leaf[^;\n]* 2000\n"));
}

TEST_F(live_command, writes_what_the_documentation_says) {
  const auto shown = run_tare({"live", pid(), "--json", "-"});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  const auto all = json::parse(shown.output);
  EXPECT_EQ(all["schema"], 1);
  EXPECT_EQ(all["pid"], program_.running.pid());
  EXPECT_GT(all["rss_bytes"], all["frame_bytes"]);
  std::uint64_t leaves = 0;
  for (const auto& site : all["sites"]) {
    if (bare_name(site["function"]) == "leaf") leaves += site["count"].get<std::uint64_t>();
    EXPECT_EQ(site["total_bytes"].get<std::uint64_t>(),
              site["count"].get<std::uint64_t>() * site["frame_bytes"].get<std::uint64_t>());
  }
  EXPECT_EQ(leaves, 2000U);
}

TEST_F(live_command, tells_what_grew_between_two_snapshots) {
  const support::temporary_folder folder;
  const auto before = (folder / "before.json").string();
  const auto after = (folder / "after.json").string();
  ASSERT_EQ(run_tare({"snapshot", pid(), "-o", before}).status, 0);
  const auto larger = start({target("hand_written-gcc-O2"), "3000"});
  ASSERT_EQ(run_tare({"snapshot", std::to_string(larger.running.pid()), "-o", after}).status, 0);
  const auto shown = run_tare({"compare", before, after});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, ContainsRegex("hand::leaf[^\n]*\\+128,000 [^\n]* 2,000 +3,000"));
}

TEST(live_leak, is_found_by_comparing) {
  const support::temporary_folder folder;
  auto leaking = tare::measure::process::start({.arguments = {support::path::leak, "60"}, .directory = {}});
  ASSERT_TRUE(leaking);
  const auto pid = std::to_string(leaking->pid());
  const auto take = [&](const std::string& name) {
    const auto file = (folder / name).string();
    EXPECT_EQ(run_tare({"snapshot", pid, "-o", file}).status, 0);
    return file;
  };
  const auto guards = [](const std::string& file) {
    std::uint64_t count = 0;
    for (const auto& site : json::parse(support::read_file(file))["sites"]) {
      if (bare_name(site["function"]) == "guard") count += site["count"].get<std::uint64_t>();
    }
    return count;
  };
  const auto before = take("before");
  // As many again, however slow the machine is.
  auto after = take("after");
  while (guards(after) < guards(before) + 100) after = take("after");
  const auto shown = run_tare({"compare", before, after, "--json", "-"});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  const auto first = json::parse(shown.output)["sites"][0];
  EXPECT_EQ(bare_name(first["function"]), "guard") << shown.output;
  EXPECT_EQ(first["change"], "grew");
}

class live_counts_for_advice : public testing::Test {
 protected:
  /// What `tare frames --advice --counts` makes of the coroutines in target("advised-clang-O1").
  [[nodiscard]] static auto advice(const std::string& counts) {
    return run_tare({"frames", "--advice", target("advised-clang-O1"), "--counts", counts});
  }
  [[nodiscard]] std::string pid() const { return std::to_string(program_.running.pid()); }
  program program_ = start({target("advised-clang-O1")});
  support::temporary_folder folder_;
};

TEST_F(live_counts_for_advice, are_of_a_process_or_of_a_snapshot) {
  // The largest total comes first, although one frame of the other coroutine would save more.
  const auto* expected =
      "88 bytes lighter, in 3,000 frames 264,000: [^\n]*'few'[^\n]*\n"
      "[^\n]*408 bytes lighter, in 2 frames 816: [^\n]*'many'";
  const auto of_process = advice(pid());
  EXPECT_EQ(of_process.status, 0) << of_process.errors;
  EXPECT_THAT(of_process.output, ContainsRegex(expected));
  EXPECT_EQ(of_process.errors, "");
  const auto file = (folder_ / "snapshot.json").string();
  EXPECT_EQ(run_tare({"snapshot", pid(), "-o", file}).status, 0);
  const auto of_file = advice(file);
  EXPECT_EQ(of_file.output, of_process.output);
  EXPECT_EQ(of_file.errors, "");
}

TEST_F(live_counts_for_advice, of_another_program_are_noted) {
  const auto other = start({target("hand_written-clang-O2"), "10"});
  const auto shown = advice(std::to_string(other.running.pid()));
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.errors, HasSubstr("has no suspended frame of these coroutines"));
  EXPECT_THAT(shown.output, HasSubstr("in 0 frames"));
}

TEST_F(live_counts_for_advice, are_refused_if_they_are_none) {
  const auto written = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  };
  for (const auto& [counts, message] : {
           std::pair<std::string, std::string>{"", "--counts needs a process ID or a file"},
           {"0", "process 0 does not exist"},
           {"-1", "process -1 does not exist"},
           {"99999999", "process 99999999 does not exist"},
           {"99999999999999999999", "No such file"},
           {pid() + "x", "No such file"},
           {folder_.path().string(), "is a folder"},
           {"/dev/null", "parse error"},
           {written("empty object", "{}"), "it holds no snapshot"},
           {written("wrong count", R"({"schema": 1, "sites": [{"count": -5}]})"), "it holds no snapshot"},
           {written("cut", R"({"schema": 1, "sites": [)"), "parse error"},
       }) {
    const auto shown = advice(counts);
    EXPECT_EQ(shown.status, 2) << counts;
    EXPECT_EQ(shown.output, "") << counts;
    EXPECT_THAT(shown.errors, HasSubstr(message)) << counts;
  }
}

TEST_F(live_command, shows_one_frame) {
  const auto listed = run_tare({"live", pid(), "--list", "leaf", "--top", "1"});
  EXPECT_EQ(listed.status, 0) << listed.errors;
  const auto at = listed.output.find("0x");
  ASSERT_NE(at, std::string::npos) << listed.output;
  const auto address = listed.output.substr(at, listed.output.find(' ', at) - at);
  const auto shown = run_tare({"live", pid(), "--frame", address});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, HasSubstr("frame " + address + " of hand::leaf(unsigned long)\n"));
  EXPECT_THAT(shown.output, ContainsRegex("awaited by frame 0x[0-9a-f]+ of hand::middle"));
  // The buffer is filled with the number.
  const auto number_at = shown.output.find("number: long unsigned int");
  ASSERT_NE(number_at, std::string::npos) << shown.output;
  const auto number = std::stoul(shown.output.substr(shown.output.find_first_of("0123456789", number_at)));
  const auto letter = static_cast<unsigned char>(number);
  const std::string shown_as =
      letter >= 0x20 && letter < 0x7f ? std::string(1, static_cast<char>(letter)) : fmt::format("\\x{:02x}", letter);
  if (letter != '"' && letter != '\\') {
    EXPECT_THAT(shown.output, HasSubstr("\"" + shown_as + shown_as)) << "of number " << number;
  }

  const auto nothing = run_tare({"live", pid(), "--frame", "0x10"});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_THAT(nothing.errors, HasSubstr("no suspended frame begins at 0x10"));
}

TEST(live_rust_command, shows_boxed_futures_and_says_that_it_is_an_experiment) {
  if (!std::filesystem::exists(target("boxed-rustc-O2"))) GTEST_SKIP() << "rustc is not installed";
  const auto program = start({target("boxed-rustc-O2")});
  const auto pid = std::to_string(program.running.pid());
  const auto shown = run_tare({"live", pid, "--rust"});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_THAT(shown.output, ContainsRegex("boxed::two_places [^\n]*boxed.rs:38 [^\n]* 10,000 "));
  EXPECT_THAT(shown.output, ContainsRegex("boxed::unstarted [^\n]*not started [^\n]* 100 "));
  EXPECT_THAT(shown.errors, HasSubstr("--rust is an experiment"));
  const auto kept = run_tare({"snapshot", pid, "--rust", "-o", "-"});
  EXPECT_EQ(kept.status, 0) << kept.errors;
  EXPECT_THAT(json::parse(kept.output)["notes"].dump(), HasSubstr("--rust is an experiment"));
}

/// A process of a copy of sleep in which this stands where compilers write their names.
tare::measure::process sleep_made_by(const std::string& compiler, const support::temporary_folder& folder) {
  const auto note = (folder / "comment").string();
  const auto copy = (folder / "sleep").string();
  std::ofstream(note) << compiler << '\0';
  const std::string command =
      fmt::format("{} --remove-section=.comment --add-section=.comment={} /usr/bin/sleep {}", TARE_OBJCOPY, note, copy);
  // NOLINTNEXTLINE(concurrency-mt-unsafe, bugprone-command-processor): nothing else runs here, and the words are ours
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  auto begun = tare::measure::process::start({.arguments = {copy, "60"}, .directory = {}});
  if (!begun) throw std::runtime_error(begun.error().message);
  return std::move(*begun);
}

TEST(live_rust_command, is_named_where_it_is_missing) {
  const auto notes_of = [](const tare::measure::process& running) {
    for (int attempt = 0; attempt < 1'000; ++attempt) {
      // Until the process has begun to run the program, it is a copy of this one.
      if (std::filesystem::read_symlink(fmt::format("/proc/{}/exe", running.pid())).filename() == "sleep") break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return run_tare({"live", std::to_string(running.pid())}).errors;
  };
  const support::temporary_folder folder;
  EXPECT_THAT(notes_of(sleep_made_by("rustc version 1.63.0 (4b91a6ea7 2022-08-08)", folder)),
              HasSubstr("code written in Rust: --rust shows the futures"));
  const support::temporary_folder other;
  const std::string notes = notes_of(sleep_made_by("GCC: (Debian 12.2.0-14) 12.2.0", other));
  EXPECT_THAT(notes, testing::Not(HasSubstr("--rust")));
  EXPECT_THAT(notes, HasSubstr("stripped of symbols and debug information"));
}

TEST(live_command_line, complains_in_one_line) {
  const auto complaint = [](std::vector<std::string> words) {
    const auto shown = run_tare(std::move(words));
    EXPECT_EQ(shown.output, "");
    EXPECT_EQ(std::ranges::count(shown.errors, '\n'), 1) << shown.errors;
    return std::to_string(shown.status) + " " + shown.errors;
  };
  EXPECT_THAT(complaint({"live"}), HasSubstr("2 tare: no process given"));
  EXPECT_THAT(complaint({"live", "0"}), testing::StartsWith("2 "));
  EXPECT_THAT(complaint({"live", "server"}), testing::StartsWith("2 "));
  EXPECT_THAT(complaint({"live", "2147483647"}), HasSubstr("2 tare: process 2147483647 does not exist"));
  EXPECT_THAT(complaint({"live", "--core", "/nowhere/core"}), HasSubstr("1 tare: cannot read /nowhere/core"));
  EXPECT_THAT(complaint({"live", "1", "--frame", "here"}), HasSubstr("is not an address"));
  EXPECT_THAT(complaint({"live", "1", "--list", "("}), HasSubstr("is not a regular expression"));
  EXPECT_THAT(complaint({"live", "1", "--watch", "0"}), testing::StartsWith("2 "));
  EXPECT_THAT(complaint({"live", "1", "--core", "core"}), testing::StartsWith("2 "));
  EXPECT_THAT(complaint({"live", "1", "--exe", "program"}), testing::StartsWith("2 "));
  EXPECT_THAT(complaint({"snapshot", "1"}), testing::StartsWith("2 "));
  EXPECT_THAT(complaint({"snapshot", "2147483647", "-o", "/nowhere/file"}), HasSubstr("/nowhere/file"));
}

}  // namespace
