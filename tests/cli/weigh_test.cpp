// `tare weigh` from outside: what it prints and writes.

#include "support/temporary_folder.hpp"
#include "tare_command.hpp"

#include <tare/version.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace cli_test;
using nlohmann::json;

constexpr std::string_view csv_head =
    "name,version,run,n,rss_bytes,pss_bytes,anonymous_bytes,page_table_bytes,peak_bytes,swapped_bytes,ready_seconds,"
    "cpu_seconds\n";

/// A shell that holds one byte a task. It stops itself, since a child would weigh too.
constexpr const char* hoard = "x=$(head -c $1 /dev/zero | tr '\\0' x); echo READY; kill -STOP $$";

std::ptrdiff_t lines(const std::string& text) { return std::ranges::count(text, '\n'); }

TEST(command_test, tells_its_version_and_its_options) {
  const auto version = run_tare({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_EQ(version.output, "tare " + std::string(tare::version) + "\n");
  EXPECT_EQ(version.errors, "");
  const auto help = run_tare({"weigh", "--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* option :
       {"--n", "--runs", "--timeout", "--peers", "--only", "--no-max-n", "--json", "--csv", "--name"}) {
    EXPECT_THAT(help.output, testing::HasSubstr(option));
  }
}

TEST(weigh_command_test, prints_a_table) {
  const auto ended = run_tare(weigh_shell({"--n", "8000000,1", "--runs", "2", "--name", "hoard"}, hoard));
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_EQ(ended.errors, "");
  EXPECT_THAT(ended.output, testing::ContainsRegex("^ *tasks +RSS +PSS"));
  EXPECT_THAT(ended.output, testing::ContainsRegex("\n +1 .* MB .*\n8,000,000 .* MB "));
  EXPECT_THAT(ended.output,
              testing::ContainsRegex("\nhoard: [0-9.]+ bytes per task, median of 2 runs \\([0-9.]+-[0-9.]+\\)\n$"));
}

TEST(weigh_command_test, writes_json) {
  const support::temporary_folder folder;
  const auto file = folder.write("result.json", "an older file");
  const auto ended = run_tare(weigh_shell({"--n", "1,8000000", "--runs", "3", "--json", file.string()}, hoard));
  ASSERT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, testing::HasSubstr("bytes per task"));
  const auto all = json::parse(support::read_file(file));
  EXPECT_EQ(all.at("schema"), 1);
  EXPECT_EQ(all.at("runs"), 3);
  EXPECT_TRUE(all.at("machine").at("kernel").is_string());
  ASSERT_EQ(all.at("results").size(), 1U);
  const auto& result = all.at("results").at(0);
  EXPECT_EQ(result.at("name"), "sh");
  EXPECT_EQ(result.at("version"), "");
  EXPECT_FALSE(result.contains("error"));
  EXPECT_GE(result.at("slope_bytes").get<double>(), 0.9);
  EXPECT_LE(result.at("slope_bytes").get<double>(), 20);
  EXPECT_LE(result.at("slope_lowest_bytes"), result.at("slope_bytes"));
  EXPECT_GE(result.at("slope_highest_bytes"), result.at("slope_bytes"));
  ASSERT_EQ(result.at("points").size(), 2U);
  EXPECT_EQ(result.at("base_rss_bytes"), result.at("points").at(0).at("rss_bytes"));
  std::uint64_t n = 1;
  for (const auto& point : result.at("points")) {
    EXPECT_EQ(point.at("n"), n);
    n = 8'000'000;
    for (const char* key : {"rss_bytes", "pss_bytes", "anonymous_bytes", "page_table_bytes", "peak_bytes"}) {
      EXPECT_GT(point.at(key).get<std::uint64_t>(), 0U) << key;
    }
    EXPECT_TRUE(point.at("swapped_bytes").is_number_unsigned());
    EXPECT_GE(point.at("peak_bytes"), point.at("rss_bytes"));
    EXPECT_GT(point.at("ready_seconds").get<double>(), 0);
    EXPECT_GE(point.at("cpu_seconds").get<double>(), 0);
  }
  // No draft is left beside it.
  EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(folder.path())), 1);
}

TEST(weigh_command_test, writes_a_row_of_csv_for_every_sample) {
  const support::temporary_folder folder;
  const auto file = folder / "result.csv";
  const auto ended =
      run_tare(weigh_shell({"--n", "1,2,3", "--runs", "2", "--name", "a \"b\", c", "--csv", file.string()}, ready));
  ASSERT_EQ(ended.status, 0) << ended.errors;
  const std::string text = support::read_file(file);
  EXPECT_TRUE(text.starts_with(csv_head)) << text;
  EXPECT_EQ(lines(text), 1 + 3 * 2);
  for (const char* row : {",1,1,", ",1,2,", ",1,3,", ",2,1,", ",2,2,", ",2,3,"}) {
    EXPECT_THAT(text, testing::HasSubstr("\n\"a \"\"b\"\", c\",\"\"" + std::string(row)));
  }
}

TEST(weigh_command_test, a_minus_means_standard_output_and_nothing_else_is_there) {
  const auto as_json = run_tare(weigh_shell({"--n", "1", "--runs", "1", "--json", "-"}, ready));
  EXPECT_EQ(as_json.status, 0);
  EXPECT_EQ(json::parse(as_json.output).at("results").at(0).at("slope_bytes"), nullptr);  // of one point
  const auto as_csv = run_tare(weigh_shell({"--n", "1", "--runs", "1", "--csv", "-"}, ready));
  EXPECT_EQ(as_csv.status, 0);
  EXPECT_TRUE(as_csv.output.starts_with(csv_head));
  EXPECT_EQ(lines(as_csv.output), 2);
}

TEST(weigh_command_test, a_failure_is_in_the_json_too) {
  const auto ended = run_tare(weigh_shell({"--n", "1", "--runs", "1", "--json", "-"}, "exit 3"));
  EXPECT_EQ(ended.status, 1);
  const auto result = json::parse(ended.output).at("results").at(0);
  EXPECT_EQ(result.at("error"), "sh exited with status 3 before READY with n = 1");
  EXPECT_EQ(result.at("slope_bytes"), nullptr);
  EXPECT_EQ(result.at("base_rss_bytes"), nullptr);
  EXPECT_TRUE(result.at("points").empty());
}

TEST(weigh_command_test, a_link_stays_a_link) {
  const support::temporary_folder folder;
  folder.write("target.csv", "old");
  std::filesystem::create_symlink("target.csv", folder / "link.csv");
  const auto ended = run_tare(weigh_shell({"--n", "1", "--runs", "1", "--csv", (folder / "link.csv").string()}, ready));
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.csv"));
  EXPECT_TRUE(support::read_file(folder / "target.csv").starts_with(csv_head));
}

/// Weighs a program that is ready with one task and never with two, and interrupts it there.
class interrupted_test : public testing::Test {
 protected:
  outcome interrupt(const std::string& counts, int signal) {
    const auto pid_file = folder_ / "pid";
    const std::string script =
        "if [ $1 = 1 ]; then echo READY; else echo $$ >" + pid_file.string() + "; fi; exec sleep 100";
    tare_command running(weigh_shell(
        {"--n", counts, "--runs", "1", "--json", json_.string(), "--csv", (folder_ / "result.csv").string()}, script));
    const pid_t program = std::stoi(wait_for_line(pid_file));
    EXPECT_EQ(::kill(program, 0), 0);
    running.send(signal);
    auto ended = running.wait();
    EXPECT_EQ(::kill(program, 0), -1) << "the program still runs";
    return ended;
  }

  support::temporary_folder folder_;
  std::filesystem::path json_ = folder_.write("result.json", "an older file");
};

TEST_F(interrupted_test, shows_and_writes_what_was_measured) {
  const auto ended = interrupt("1,2", SIGINT);
  EXPECT_EQ(ended.status, 130);
  EXPECT_EQ(ended.errors, "tare: stopped; what is shown was measured before\n");
  EXPECT_THAT(ended.output, testing::ContainsRegex("\n +1 .* MB "));
  const auto all = json::parse(support::read_file(json_));
  EXPECT_EQ(all.at("results").at(0).at("points").size(), 1U);
  EXPECT_EQ(lines(support::read_file(folder_ / "result.csv")), 2);
}

TEST_F(interrupted_test, before_anything_was_measured_an_older_file_stays) {
  const auto ended = interrupt("2", SIGINT);
  EXPECT_EQ(ended.status, 130);
  EXPECT_EQ(support::read_file(json_), "an older file");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "result.csv"));
  // Nor is a draft left: there are the older file and the number of the process.
  EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(folder_.path())), 2);
}

TEST_F(interrupted_test, the_status_tells_the_signal) { EXPECT_EQ(interrupt("1,2", SIGTERM).status, 128 + SIGTERM); }

class peers_command_test : public testing::Test {
 protected:
  std::string peers(std::string_view text) { return folder_.write("peers.toml", text).string(); }

  support::temporary_folder folder_;
};

constexpr std::string_view ready_peer = R"(
[[peer]]
name = "here"
version = ["echo", "1.2.3"]
run = ["sh", "-c", "echo READY; exec sleep 100", "sh", "{n}"]
max_n = 5
)";

TEST_F(peers_command_test, a_peer_that_lacks_something_is_left_out_and_nothing_has_failed) {
  const auto file = peers(std::string(ready_peer) + R"(
[[peer]]
name = "absent"
run = ["tare-no-such-command", "{n}"]
needs = [{ program = "tare-no-such-command", hint = "apt-get install it" }]
)");
  const auto json_file = folder_ / "result.json";
  const auto ended = run_tare({"weigh", "--peers", file, "--n", "1", "--runs", "1", "--json", json_file.string()});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.errors, "tare: absent is left out: tare-no-such-command is missing; apt-get install it\n");
  EXPECT_THAT(ended.output, testing::ContainsRegex("\nhere +1\\.2\\.3 "));
  const auto results = json::parse(support::read_file(json_file)).at("results");
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].at("version"), "1.2.3");
  EXPECT_EQ(results[1].at("name"), "absent");
  EXPECT_EQ(results[1].at("error"), "left out: tare-no-such-command is missing; apt-get install it");
}

TEST_F(peers_command_test, one_that_fails_does_not_stop_the_others) {
  const auto file = peers(R"(
[[peer]]
name = "unbuilt"
build = ["sh", "-c", "echo compiler is cross >&2; exit 4"]
run = ["true", "{n}"]
[[peer]]
name = "broken"
run = ["sh", "-c", "exit 3", "sh", "{n}"]
)" + std::string(ready_peer));
  const auto ended = run_tare({"weigh", "--peers", file, "--n", "1", "--runs", "2"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.errors,
            "tare: unbuilt: 'sh -c 'echo compiler is cross >&2; exit 4'' exited with status 4: compiler is cross\n"
            "tare: broken: sh exited with status 3 before READY with n = 1\n");
  EXPECT_THAT(ended.output, testing::ContainsRegex("\nhere +1\\.2\\.3 "));
}

TEST_F(peers_command_test, builds_and_runs_in_the_root) {
  std::filesystem::create_directory(folder_ / "root");
  const auto file = peers(R"(root = "root"
[[peer]]
name = "a"
version = ["cat", "version"]
build = ["sh", "-c", "echo 7 >version"]
run = ["sh", "-c", "[ -f version ] && echo READY; exec sleep 100", "sh", "{n}"]
)");
  const auto ended = run_tare({"weigh", "--peers", file, "--n", "1", "--runs", "1"});
  EXPECT_EQ(ended.status, 0) << ended.errors;
  EXPECT_THAT(ended.output, testing::ContainsRegex("\na +7 "));
}

TEST_F(peers_command_test, only_and_the_largest_count) {
  const auto file = peers(std::string(ready_peer) + R"(
[[peer]]
name = "other"
run = ["tare-no-such-command", "{n}"]
)");
  const std::vector<std::string> base{"weigh", "--peers", file, "--only", "here", "--n",
                                      "4,5,6", "--runs",  "1",  "--csv",  "-"};
  const auto limited = run_tare(base);
  EXPECT_EQ(limited.status, 0) << limited.errors;
  EXPECT_EQ(lines(limited.output), 1 + 2);
  auto all = base;
  all.emplace_back("--no-max-n");
  EXPECT_EQ(lines(run_tare(all).output), 1 + 3);
  auto unknown = base;
  unknown[4] = "nobody";
  const auto ended = run_tare(unknown);
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.errors, "tare: no peer is named 'nobody'; there are: here, other\n");
}

}  // namespace
