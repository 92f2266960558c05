// Processes that change, end, or cannot be read.

#include "inspect/live/target.hpp"
#include "live/program.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace {

using namespace live_test;
using tare::inspect::live_target;
using testing::HasSubstr;

std::string message_of(std::int64_t pid) {
  const auto opened = live_target::of_process(pid);
  return opened ? std::string("opened") : opened.error().message;
}

TEST(live_process, that_churns_is_seen_again_and_again) {
  const auto program = start({target("churn-clang-O2")});
  auto running = live_target::of_process(program.running.pid(), {.stacks = true});
  ASSERT_TRUE(running) << running.error().message;
  for (int i = 0; i < 30; ++i) {
    const auto snapshot = running->snapshot();
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    for (const auto& site : snapshot->sites) {
      EXPECT_THAT(bare_name(site.function), testing::AnyOf("small", "wide"));
      EXPECT_LE(site.count, 5001U);
    }
  }
}

TEST(live_process, stands_still_only_as_long_as_it_may_and_loses_no_signal) {
  const auto program = start({target("churn-clang-O2")});
  auto running = live_target::of_process(program.running.pid(), {.longest_pause = std::chrono::seconds(5)});
  ASSERT_TRUE(running) << running.error().message;
  constexpr int rounds = 40;
  int sent = 0;
  for (int i = 0; i < rounds; ++i) {
    ASSERT_EQ(::kill(program.running.pid(), SIGRTMIN), 0);
    ++sent;
    const auto snapshot = running->snapshot();
    ASSERT_TRUE(snapshot) << snapshot.error().message;
    EXPECT_GT(snapshot->paused_seconds, 0);
    EXPECT_THAT(snapshot->notes, testing::Not(testing::Contains(HasSubstr("continued before all was read"))));
  }
  ASSERT_EQ(::kill(program.running.pid(), SIGTERM), 0);
  std::string said;
  const auto end = std::chrono::steady_clock::now() + patience;
  const auto heard = tare::measure::listen(program.running, end, -1, [&](auto bytes) {
    said += bytes;
    return said.contains('\n');
  });
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_EQ(said, std::to_string(sent) + "\n");
}

TEST(live_process, goes_on_before_all_is_read_if_it_may_stand_still_for_a_moment_only) {
  const auto program = start({target("hand_written-clang-O2")});
  auto running = live_target::of_process(program.running.pid(), {.longest_pause = std::chrono::nanoseconds(1)});
  ASSERT_TRUE(running) << running.error().message;
  const auto snapshot = running->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_THAT(snapshot->notes, testing::Contains(HasSubstr("continued before all was read")));
  EXPECT_EQ(seen(*snapshot, program.announced), program.announced);
}

TEST(live_process, that_ends_meanwhile_is_an_error) {
  auto program = start({target("churn-clang-O2")});
  auto running = live_target::of_process(program.running.pid());
  ASSERT_TRUE(running) << running.error().message;
  const auto pid = program.running.pid();
  program.running.end();
  const auto snapshot = running->snapshot();
  ASSERT_FALSE(snapshot);
  EXPECT_THAT(snapshot.error().message, HasSubstr(std::to_string(pid)));
}

TEST(live_process, that_there_is_not_is_said) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_GT(child, 0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_THAT(message_of(child), HasSubstr("has ended"));
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(message_of(child), "process " + std::to_string(child) + " does not exist");
}

TEST(live_process, without_coroutines_is_no_error) {
  auto shell = tare::measure::process::start({.arguments = {"sleep", "100"}, .directory = {}});
  ASSERT_TRUE(shell);
  auto running = live_target::of_process(shell->pid());
  ASSERT_TRUE(running) << running.error().message;
  const auto snapshot = running->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(snapshot->frames, 0U);
  EXPECT_FALSE(snapshot->notes.empty());
}

TEST(live_process, is_read_by_the_program_that_it_runs_and_not_by_what_stands_in_its_place) {
  const support::temporary_folder folder;
  const auto copy = folder / "program";
  std::filesystem::copy_file(target("hand_written-clang-O2"), copy);
  const auto program = start({copy, "2000"});
  // As a package manager does: the new file replaces the old one.
  std::filesystem::copy_file(target("churn-clang-O2"), folder / "new");
  std::filesystem::rename(folder / "new", copy);
  auto running = live_target::of_process(program.running.pid());
  ASSERT_TRUE(running) << running.error().message;
  const auto snapshot = running->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_EQ(seen(*snapshot, program.announced), program.announced);
}

TEST(live_process, without_debug_information_is_known_by_its_symbols) {
  const support::temporary_folder folder;
  const auto copy = folder / "program";
  const auto stripping = tare::measure::process::start(
      {.arguments = {"objcopy", "--strip-debug", target("hand_written-clang-O2"), copy}, .directory = {}});
  ASSERT_TRUE(stripping);
  const auto stripped =
      tare::measure::listen(*stripping, std::chrono::steady_clock::now() + patience, -1, [](auto) { return false; });
  ASSERT_TRUE(stripped && stripped->ended && std::filesystem::exists(copy));
  const auto program = start({copy, "2000"});
  auto running = live_target::of_process(program.running.pid());
  ASSERT_TRUE(running) << running.error().message;
  const auto snapshot = running->snapshot();
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  EXPECT_THAT(snapshot->notes, testing::Contains(HasSubstr("no debug information")));
  // Frames inside others cannot be recognized without sizes; all others are found.
  const auto found = seen(*snapshot, program.announced);
  for (const std::string name : {"root", "unstarted", "finished", "big", "large"}) {
    EXPECT_EQ(found.contains(name) ? found.at(name) : 0, program.announced.at(name)) << name;
  }
}

}  // namespace
