// The messages and exit statuses of the command when something is wrong: one line per fault.

#include "support/temporary_folder.hpp"
#include "tare_command.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace {

using namespace cli_test;
using arguments = std::vector<std::string>;

arguments once() { return {"--n", "1", "--runs", "1"}; }

arguments weigh_once(const arguments& command) {
  arguments all{"weigh", "--n", "1", "--runs", "1", "--"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

void expect_fault(const arguments& command, int status, const std::string& line, const std::string& output = {}) {
  const auto ended = run_tare(command, output);
  EXPECT_EQ(ended.status, status) << testing::PrintToString(command);
  EXPECT_EQ(ended.errors, line + "\n");
}

TEST(fault_test, wrong_options_are_bad_usage) {
  expect_fault({}, 2, "tare: A subcommand is required; see tare --help");
  expect_fault({"weigh", "--bogus"}, 2,
               "tare: The following argument was not expected: --bogus; see tare weigh --help");
  expect_fault({"weigh"}, 2, "tare: weigh needs a command after --, or --peers FILE; see tare weigh --help");
  expect_fault({"weigh", "--only", "a", "--", "a", "{n}"}, 2, "tare: --only requires --peers; see tare weigh --help");
  expect_fault({"weigh", "--json", "-", "--csv", "-", "--", "a", "{n}"}, 2,
               "tare: --json and --csv cannot both go to standard output");
}

TEST(fault_test, wrong_numbers_are_bad_usage) {
  for (const char* n : {"-1", "x", "1x", "1.5", "99999999999999999999"}) {
    expect_fault({"weigh", "--n", n, "--", "a", "{n}"}, 2,
                 "tare: --n: '" + std::string(n) + "' is not a number of tasks; see tare weigh --help");
  }
  for (const char* seconds : {"0", "-1", "nan", "inf", "1e7", "x"}) {
    expect_fault({"weigh", "--timeout", seconds, "--", "a", "{n}"}, 2,
                 "tare: --timeout: '" + std::string(seconds) +
                     "' is not a time: seconds, above 0, at most 1000000; see tare weigh --help");
  }
  for (const char* runs : {"0", "1001", "-1", "x"}) {
    const auto ended = run_tare({"weigh", "--runs", runs, "--", "a", "{n}"});
    EXPECT_EQ(ended.status, 2);
    EXPECT_THAT(ended.errors, testing::StartsWith("tare: --runs: "));
  }
}

TEST(fault_test, a_command_without_a_place_for_the_count_is_bad_usage) {
  expect_fault({"weigh", "--", "sleep", "100"}, 2,
               "tare: the command has no {n} where the number of tasks goes; for instance: tare weigh -- ./server "
               "--connections {n}");
}

TEST(fault_test, a_program_that_cannot_be_run) {
  const support::temporary_folder folder;
  const auto text = folder.write("text", "no program").string();
  expect_fault(weigh_once({"tare-no-such-command", "{n}"}), 1, "tare: tare-no-such-command: command not found");
  expect_fault(weigh_once({"/nonexistent/a", "{n}"}), 1, "tare: /nonexistent/a: no such file");
  expect_fault(weigh_once({text, "{n}"}), 1, "tare: " + text + " is not executable");
  expect_fault(weigh_once({"/tmp", "{n}"}), 1, "tare: /tmp is a folder");
}

TEST(fault_test, a_program_that_ends_before_it_is_ready) {
  expect_fault(weigh_shell(once(), "exit 3"), 1, "tare: sh exited with status 3 before READY with n = 1");
  expect_fault(weigh_shell(once(), "echo no memory >&2; exit 1"), 1,
               "tare: sh exited with status 1 before READY with n = 1: no memory");
  expect_fault(weigh_shell(once(), "kill -SEGV $$"), 1,
               "tare: sh was killed by SIGSEGV (Segmentation fault) before READY with n = 1");
}

TEST(fault_test, a_program_that_is_never_ready) {
  expect_fault(weigh_shell({"--n", "1", "--runs", "1", "--timeout", "0.3"}, "exec sleep 100"), 1,
               "tare: sh did not print READY within 0.3 s (is its output flushed?) with n = 1");
}

TEST(fault_test, what_was_measured_before_a_failure_is_shown) {
  const auto ended =
      run_tare(weigh_shell({"--n", "1,7", "--runs", "1"}, "[ $1 = 1 ] || exit 3; echo READY; exec sleep 100"));
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.errors, "tare: sh exited with status 3 before READY with n = 7\n");
  EXPECT_THAT(ended.output, testing::ContainsRegex("\n +1 .*MB"));
}

TEST(fault_test, a_file_that_cannot_be_written_is_reported_before_measuring) {
  const support::temporary_folder folder;
  const auto started = folder / "started";
  const std::string script = "echo >" + started.string() + "; " + ready;
  for (const char* option : {"--json", "--csv"}) {
    expect_fault(weigh_shell({option, "/nonexistent/x"}, script), 1,
                 "tare: cannot write /nonexistent/x: No such file or directory");
    expect_fault(weigh_shell({option, folder.path().string()}, script), 2,
                 "tare: cannot write " + folder.path().string() + ": it is a folder");
  }
  EXPECT_FALSE(std::filesystem::exists(started));
}

TEST(fault_test, a_full_disk_is_reported) {
  for (const char* option : {"--json", "--csv"}) {
    arguments options = once();
    options.insert(options.end(), {option, "/dev/full"});
    expect_fault(weigh_shell(options, ready), 1, "tare: cannot write /dev/full: No space left on device");
    options.back() = "-";
    expect_fault(weigh_shell(options, ready), 1, "tare: cannot write to standard output: No space left on device",
                 "/dev/full");
  }
  expect_fault(weigh_shell(once(), ready), 1, "tare: cannot write to standard output: No space left on device",
               "/dev/full");
  expect_fault({"--version"}, 1, "tare: cannot write to standard output: No space left on device", "/dev/full");
}

TEST(fault_test, a_full_disk_does_not_keep_the_results_from_elsewhere) {
  const support::temporary_folder folder;
  arguments options = once();
  options.insert(options.end(), {"--json", "/dev/full", "--csv", (folder / "result.csv").string()});
  const auto ended = run_tare(weigh_shell(options, ready), "/dev/full");
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.errors,
            "tare: cannot write to standard output: No space left on device\n"
            "tare: cannot write /dev/full: No space left on device\n");
  EXPECT_THAT(support::read_file(folder / "result.csv"), testing::HasSubstr("\n\"sh\",\"\",1,1,"));
}

TEST(fault_test, a_wrong_list_of_peers_is_bad_usage) {
  const support::temporary_folder folder;
  const auto file = folder.write("peers.toml", "[[peer]]\nname = \"a\"\nrnu = 1\n").string();
  expect_fault({"weigh", "--peers", file}, 2,
               "tare: " + file +
                   ":3:1: unknown key 'rnu' in [[peer]]; known: name, title, language, "
                   "subject, floor, version, build, run, workloads, kinds, needs, max_n, limits, database");
  expect_fault({"weigh", "--peers", "/nonexistent/x"}, 2,
               "tare: cannot read /nonexistent/x: No such file or directory");
  const auto broken = folder.write("broken.toml", "[[peer\n").string();
  const auto ended = run_tare({"weigh", "--peers", broken});
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.errors, testing::StartsWith("tare: " + broken + ":1:"));
  EXPECT_EQ(std::ranges::count(ended.errors, '\n'), 1);
}

}  // namespace
