// `tare race` from outside, with two small programs in place of the runtimes.

#include "support/temporary_folder.hpp"
#include "tare_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;

constexpr std::string_view two_peers = R"(page = "page.html"

[[peer]]
name = "light"
title = "Light"
subject = true
version = "1.0"
run = ["./hoard", "{workload}", "{n}", "1"]

[[peer]]
name = "heavy"
title = "Heavy </script>"
version = ["echo", "2.0"]
run = ["./hoard", "{workload}", "{n}", "4"]
)";

/// So many bytes a task; it stops itself, since a child would weigh too.
constexpr std::string_view hoard = R"(#!/bin/sh
x=$(head -c $(($2 * $3)) /dev/zero | tr '\0' x)
echo spawn_seconds=0.125
echo seconds=0.5
echo READY
kill -STOP $$
)";

class race_command_test : public testing::Test {
 protected:
  race_command_test() {
    folder_.write("hoard", hoard);
    folder_.write("page.html", "<script>\"@RESULTS@\"</script>");
  }
  outcome race(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"race", "--peers", peers_, "--output", (folder_ / "out").string()});
    return run_tare(arguments);
  }
  /// The file that was written with this ending.
  std::string written(std::string_view ending) {
    for (const auto& file : std::filesystem::directory_iterator(folder_ / "out")) {
      if (file.path().extension() == ending) return file.path().string();
    }
    return "none";
  }

  support::temporary_folder folder_;
  std::string peers_ = folder_.write("peers.toml", two_peers).string();
};

TEST_F(race_command_test, two_peers_and_two_sizes_from_end_to_end) {
  const auto ended = race({"--workload", "empty,churn", "--n", "0,4000000", "--repeats", "2"});
  ASSERT_EQ(ended.status, 0) << ended.errors;
  EXPECT_EQ(ended.errors, "");
  EXPECT_THAT(ended.output, testing::ContainsRegex("\nLight +1\\.[0-9] "));

  const auto all = json::parse(support::read_file(written(".json")));
  EXPECT_EQ(all.at("kind"), "tare race");
  EXPECT_EQ(all.at("repeats"), 2);
  ASSERT_EQ(all.at("peers").size(), 2U);
  EXPECT_EQ(all.at("peers").at(1).at("version"), "2.0");
  ASSERT_EQ(all.at("results").size(), 4U);
  const auto& heavy = all.at("results").at(1);
  EXPECT_EQ(heavy.at("peer"), "heavy");
  EXPECT_EQ(heavy.at("workload"), "empty");
  EXPECT_GT(heavy.at("slope_bytes"), 3.9);
  EXPECT_LT(heavy.at("slope_bytes"), 12);
  EXPECT_EQ(heavy.at("points").at(1).at("reported").at("spawn_seconds"), 0.125);
  EXPECT_TRUE(all.at("results").at(3).at("slope_bytes").is_null());

  const std::string tables = support::read_file(written(".md"));
  EXPECT_THAT(tables, testing::HasSubstr("| **Light** | 1.0 | 1."));
  EXPECT_THAT(tables, testing::HasSubstr("## Churn"));
  const std::string page = support::read_file(written(".html"));
  EXPECT_THAT(page, testing::StartsWith("<script>{"));
  EXPECT_THAT(page, testing::HasSubstr("Heavy \\u003c/script>"));
}

TEST_F(race_command_test, results_become_tables_again_without_measuring) {
  ASSERT_EQ(race({"--workload", "empty", "--n", "1,4000000", "--repeats", "1"}).status, 0);
  const std::string results = written(".json");
  const std::string tables = support::read_file(written(".md"));
  std::filesystem::remove(written(".md"));
  folder_.write("hoard", "#!/bin/sh\nexit 1\n");
  const auto ended = race({"--from", results});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_EQ(support::read_file(written(".md")), tables);
}

TEST_F(race_command_test, the_readme_has_the_table_of_a_results_file) {
  ASSERT_EQ(race({"--workload", "empty", "--n", "1,4000000", "--repeats", "1"}).status, 0);
  const std::string results = written(".json");
  const auto readme = folder_.write("README.md", "before\n<!-- race: x -->\nold\n<!-- race end -->\nafter\n").string();
  ASSERT_EQ(run_tare({"race", "--from", results, "--readme", readme}).status, 0);
  const std::string text = support::read_file(readme);
  EXPECT_THAT(text, testing::StartsWith("before\n<!-- race: out/"));
  EXPECT_THAT(text, testing::HasSubstr("| **Light** 1.0 | 1."));
  EXPECT_THAT(text, testing::EndsWith("<!-- race end -->\nafter\n"));

  // Named in the document from now on.
  EXPECT_EQ(run_tare({"race", "--readme", readme, "--check"}).status, 0);
  folder_.write("README.md", text + "more\n");
  EXPECT_EQ(run_tare({"race", "--readme", readme, "--check"}).status, 0);
  std::string changed = text;
  changed.replace(changed.find("| 1."), 4, "| 0.");
  folder_.write("README.md", changed);
  const auto wrong = run_tare({"race", "--readme", readme, "--check"});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.errors, testing::ContainsRegex("^tare: [^\n]*README.md does not agree with [^\n]*\n$"));
  EXPECT_EQ(support::read_file(readme), changed);
}

TEST_F(race_command_test, a_document_without_a_place_is_reported) {
  const auto readme = folder_.write("README.md", "nothing").string();
  const auto ended = run_tare({"race", "--readme", readme});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.errors,
            "tare: " + readme + " has no place for results: the lines '<!-- race: FILE -->' and '<!-- race end -->'\n");
}

TEST_F(race_command_test, a_peer_that_crashes_is_a_row_and_the_status_says_so) {
  peers_ = folder_.write("peers.toml", std::string(two_peers) + R"(
[[peer]]
name = "broken"
run = ["sh", "-c", "echo it hurts >&2; exit 3", "sh", "{n}"]
)");
  const auto ended = race({"--workload", "empty", "--n", "1,2", "--repeats", "1"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.errors, "tare: broken in empty: sh exited with status 3 before READY with n = 1: it hurts\n");
  EXPECT_THAT(support::read_file(written(".md")), testing::HasSubstr("broken in empty: **failed**: sh exited"));
  EXPECT_THAT(support::read_file(written(".md")), testing::HasSubstr("**Light**"));
}

TEST_F(race_command_test, results_of_another_schema_are_refused) {
  const auto file = folder_.write("old.json", R"({"kind": "tare race", "schema": 0})").string();
  const auto ended = race({"--from", file});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.errors, "tare: " + file + ": it has schema 0, and this command reads 1; run tare race again\n");
}

TEST_F(race_command_test, a_workload_that_does_not_exist_is_reported) {
  const auto ended = race({"--workload", "sleepy"});
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.errors, testing::StartsWith("tare: no workload is named 'sleepy'; there are: empty, "));
}

TEST_F(race_command_test, without_a_page_the_rest_is_written) {
  std::filesystem::remove(folder_ / "page.html");
  const auto ended = race({"--workload", "empty", "--n", "1", "--repeats", "1"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.errors, testing::HasSubstr("there will be no page"));
  EXPECT_NE(written(".json"), "none");
  EXPECT_EQ(written(".html"), "none");
}

TEST_F(race_command_test, interrupted_it_keeps_what_was_measured_and_leaves_no_child) {
  const auto started = folder_ / "started";
  peers_ = folder_.write("peers.toml", R"([[peer]]
name = "slow"
run = ["sh", "-c", "if [ $1 = 2 ]; then echo $$ >started; exec sleep 1000; fi; echo READY; exec sleep 1000", "sh", "{n}"]
)");
  tare_command command(
      {"race", "--peers", peers_, "--output", (folder_ / "out").string(), "--n", "1,2", "--repeats", "1"});
  const pid_t child = std::stoi(wait_for_line(started));
  command.send(SIGINT);
  const auto ended = command.wait();
  EXPECT_EQ(ended.status, 130);
  EXPECT_THAT(ended.errors, testing::HasSubstr("stopped; what was measured before is written"));
  EXPECT_EQ(::kill(child, 0), -1);
  const auto all = json::parse(support::read_file(written(".json")));
  EXPECT_EQ(all.at("results").at(0).at("points").size(), 1U);
}

TEST_F(race_command_test, interrupted_before_anything_was_measured_it_writes_nothing) {
  const auto started = folder_ / "started";
  peers_ = folder_.write("peers.toml", R"([[peer]]
name = "slow"
run = ["sh", "-c", "echo $$ >started; exec sleep 1000", "sh", "{n}"]
)");
  tare_command command({"race", "--peers", peers_, "--output", (folder_ / "out").string(), "--n", "1"});
  (void)wait_for_line(started);
  command.send(SIGTERM);
  EXPECT_EQ(command.wait().status, 143);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
}

}  // namespace
