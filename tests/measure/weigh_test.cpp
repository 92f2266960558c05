#include "measure/weigh/weigh.hpp"

#include "measure/process/pipe.hpp"
#include "measure/weigh/summary.hpp"
#include "support/conversation.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using conversation::call;
using conversation::patience;
using tare::base::fault;
using tare::measure::weigh_once;

/// A program as a shell script; the number of tasks is $1.
tare::measure::command program(std::string script) { return call({"sh", "-c", std::move(script), "sh", "{n}"}); }

std::string why_failed(const tare::measure::weighed& all) { return all.failed ? all.failed->message : "did not"; }

std::string complaint(std::string script, std::chrono::nanoseconds limit = patience) {
  const auto measured = weigh_once(program(std::move(script)), 5, limit);
  if (measured) return "measured";
  EXPECT_EQ(measured.error().kind, fault::command);
  return measured.error().message;
}

TEST(weigh_test, measures_a_program_that_is_ready) {
  const auto measured = weigh_once(program("echo READY; exec sleep 100"), 5, patience);
  ASSERT_TRUE(measured) << measured.error().message;
  EXPECT_EQ(measured->n, 5U);
  EXPECT_GT(measured->held.resident, 0U);
  EXPECT_GT(measured->held.peak, 0U);
  EXPECT_GT(measured->ready, 0ns);
  EXPECT_LT(measured->ready, patience);
  EXPECT_GE(measured->cpu, 0ns);
}

TEST(weigh_test, a_program_may_print_before_and_may_cut_the_line) {
  EXPECT_EQ(complaint("echo starting; printf REA; sleep 0.05; printf 'DY\\r\\nmore'; exec sleep 100"), "measured");
}

TEST(weigh_test, nothing_of_the_program_is_left) {
  const support::temporary_folder folder;
  const auto file = (folder / "pid").string();
  EXPECT_EQ(complaint("sleep 100 & echo $! >" + file + "; echo READY; wait"), "measured");
  EXPECT_FALSE(conversation::exists(conversation::to_pid(support::read_file(file))));
}

TEST(weigh_test, counts_the_children_of_the_program) {
  // Not before all children have become `sleep`: in between, the memory of each is that of the shell, or of nothing.
  constexpr auto script =
      "sleep 100 & i=0; while [ $i -lt $1 ]; do sleep 100 & i=$((i+1)); done; sleep 0.3; echo READY; wait";
  const auto alone = weigh_once(program(script), 0, patience);
  const auto crowd = weigh_once(program(script), 8, patience);
  ASSERT_TRUE(alone && crowd);
  EXPECT_GT(crowd->held.resident, alone->held.resident);
}

TEST(weigh_test, finds_the_bytes_that_a_task_takes) {
  // A "task" of the shell is one byte of a variable; the shell may make several copies of it. The shell stops itself,
  // because a child process would add weight.
  const auto hoard = program("x=$(head -c $1 /dev/zero | tr '\\0' x); echo READY; kill -STOP $$");
  const auto all = tare::measure::weigh({.program = hoard, .counts = {1, 16'000'000}, .time_limit = patience});
  ASSERT_EQ(why_failed(all), "did not");
  const std::vector<tare::measure::series> runs{all.samples};
  const auto weight = tare::measure::slope_between(runs, 1, 16'000'000).value_or(tare::measure::slope{});
  EXPECT_GE(weight.median, 0.9);
  EXPECT_LE(weight.median, 20);
}

TEST(weigh_test, ending_before_ready_is_an_error_with_the_last_words) {
  EXPECT_EQ(complaint("exit 3"), "sh exited with status 3 before READY with n = 5");
  EXPECT_EQ(complaint("echo no memory >&2; exit 1"), "sh exited with status 1 before READY with n = 5: no memory");
  EXPECT_EQ(complaint("printf READY"), "sh exited with status 0 before READY with n = 5");  // without a line end
}

TEST(weigh_test, ending_right_after_ready_is_reported_if_it_is_seen) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(complaint("echo READY"),
                testing::AnyOf("measured", "sh exited with status 0 right after READY with n = 5",
                               "sh ended while its memory was being read with n = 5",
                               "there is no process left to read the memory of"));
  }
}

TEST(weigh_test, a_program_killed_by_a_signal_is_an_error) {
  EXPECT_EQ(complaint("kill -SEGV $$"), "sh was killed by SIGSEGV (Segmentation fault) before READY with n = 5");
}

TEST(weigh_test, a_program_that_is_never_ready_is_an_error) {
  EXPECT_EQ(complaint("echo almost; exec sleep 100", 300ms),
            "sh did not print READY within 0.3 s (is its output flushed?) with n = 5");
  EXPECT_EQ(complaint("echo READYX; exec sleep 100 >&-", 300ms),
            "sh closed its standard output without printing READY with n = 5");
}

TEST(weigh_test, a_program_that_cannot_be_started_is_an_error) {
  const auto measured = weigh_once(call({"tare-no-such-command", "{n}"}), 1, patience);
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().message, "tare-no-such-command: command not found");
}

TEST(weigh_test, a_command_without_a_place_for_the_count_is_an_error) {
  const auto measured = weigh_once(call({"sleep", "100"}), 1, patience);
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().message, "the command has no {n} where the number of tasks goes");
}

TEST(weigh_test, stops_when_told_to) {
  auto stop = tare::measure::open_pipe();
  ASSERT_TRUE(stop);
  ASSERT_EQ(::write(stop->writer.get(), "x", 1), 1);
  const auto measured = weigh_once(program("exec sleep 100"), 1, patience, stop->reader.get());
  ASSERT_FALSE(measured);
  EXPECT_EQ(measured.error().kind, fault::interrupted);
}

TEST(weigh_test, keeps_what_was_measured_before_a_failure) {
  std::vector<std::uint64_t> shown;
  const auto all = tare::measure::weigh({.program = program("[ $1 -lt 3 ] || exit 7; echo READY; exec sleep 100"),
                                         .counts = {1, 2, 3, 4},
                                         .time_limit = patience},
                                        -1, [&](std::uint64_t n) { shown.push_back(n); });
  ASSERT_EQ(all.samples.size(), 2U);
  EXPECT_EQ(all.samples[1].n, 2U);
  EXPECT_EQ(why_failed(all), "sh exited with status 7 before READY with n = 3");
  EXPECT_EQ(shown, (std::vector<std::uint64_t>{1, 2, 3}));
}

}  // namespace
