#include "measure/process/process.hpp"

#include "measure/process/pipe.hpp"
#include "measure/process/run.hpp"
#include "support/conversation.hpp"
#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <utility>

namespace {

using namespace conversation;
using namespace std::chrono_literals;
using tare::base::fault;
using tare::measure::process;
using tare::measure::shell_command;

std::string start_complaint(const tare::measure::command& what) {
  const auto running = process::start(what);
  return running ? "started" : running.error().message;
}

TEST(process_test, gives_output_errors_and_status) {
  const auto running = shell("echo out; echo err >&2; exit 3");
  const auto all = hear_out(running);
  EXPECT_EQ(all.output, "out\n");
  EXPECT_EQ(all.heard.errors.text(), "err\n");
  EXPECT_EQ(all.end(), "exited with status 3");
}

TEST(process_test, success_is_status_zero) {
  const tare::measure::process_exit unknown(-1);
  EXPECT_TRUE(hear_out(shell("exit 0")).heard.ended.value_or(unknown).success());
  EXPECT_FALSE(hear_out(shell("exit 1")).heard.ended.value_or(unknown).success());
  EXPECT_FALSE(hear_out(shell("kill -TERM $$")).heard.ended.value_or(unknown).success());
}

TEST(process_test, tells_the_signal_that_killed_it) {
  for (const auto& [name, text] : {std::pair{"TERM", "was killed by SIGTERM (Terminated)"},
                                   std::pair{"SEGV", "was killed by SIGSEGV (Segmentation fault)"},
                                   std::pair{"KILL",
                                             "was killed by SIGKILL (Killed; the kernel does this when memory "
                                             "runs out)"}}) {
    const auto running = shell("kill -" + std::string(name) + " $$");
    const auto all = hear_out(running);
    EXPECT_EQ(all.end(), text);
  }
}

TEST(process_test, reads_more_than_a_pipe_holds) {
  const auto running = shell("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2");
  const auto all = hear_out(running);
  EXPECT_EQ(all.output.size(), 3'000'000U);
  EXPECT_EQ(all.end(), "exited with status 0");
}

TEST(process_test, runs_in_its_folder_with_its_arguments) {
  const support::temporary_folder folder;
  const auto running =
      started(call({"sh", "-c", R"(pwd -P; for a; do echo "<$a>"; done)", "sh", "a b", "", "*"}, folder.path()));
  EXPECT_EQ(hear_out(running).output, folder.path().string() + "\n<a b>\n<>\n<*>\n");
}

TEST(process_test, its_environment_has_what_is_added_instead_of_the_callers) {
  auto chosen = shell_command("echo $HOME $TARE_ADDED $PATH");
  chosen.environment = {"TARE_ADDED=1", "HOME=elsewhere"};
  const auto running = process::start(chosen.with_port(1));
  ASSERT_TRUE(running);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread changes it
  EXPECT_EQ(hear_out(*running).output, "elsewhere 1 " + std::string(std::getenv("PATH")) + "\n");
}

TEST(process_test, its_standard_input_is_empty) {
  const auto running = started(call({"cat"}));
  const auto all = hear_out(running);
  EXPECT_EQ(all.output, "");
  EXPECT_EQ(all.end(), "exited with status 0");
}

TEST(process_test, inherits_no_open_file_of_the_caller) {
  // Without O_CLOEXEC, as a careless library would open it.
  const tare::base::file_descriptor careless(::open("/dev/null", O_RDONLY));  // NOLINT(android-cloexec-open)
  const auto running = started(call({"ls", "/proc/self/fd"}));
  EXPECT_EQ(hear_out(running).output, "0\n1\n2\n3\n");  // 3 is the list itself
}

TEST(process_test, blocks_and_ignores_no_signal_of_its_own) {
  struct sigaction before{};
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGPIPE, &ignore, &before), 0);
  const auto running = started(call({"grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"}));
  EXPECT_EQ(hear_out(running).output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  ASSERT_EQ(::sigaction(SIGPIPE, &before, nullptr), 0);
}

TEST(process_test, has_a_process_group_of_its_own) {
  const auto running = shell("echo here; exec sleep 100");
  first_line(running);
  EXPECT_EQ(::getpgid(running.pid()), running.pid());
}

TEST(process_test, end_kills_what_ignores_every_signal_it_can) {
  auto running = shell("trap '' TERM INT HUP QUIT; echo here; while :; do sleep 1; done");
  first_line(running);
  const pid_t pid = running.pid();
  EXPECT_TRUE(exists(pid));
  running.end();
  EXPECT_FALSE(exists(pid));
  running.end();  // harmless
}

TEST(process_test, end_kills_a_stopped_process) {
  auto running = shell("echo here; kill -STOP $$; exec sleep 100");
  first_line(running);
  const pid_t pid = running.pid();
  running.end();
  EXPECT_FALSE(exists(pid));
}

TEST(process_test, end_reaches_a_descendant_that_became_a_daemon) {
  for (const std::string what : {"stay", "leave"}) {
    auto running = started(call({support::path::daemon, what}));
    pid_t daemon = -1;
    if (what == "leave") {
      // Read in one call: its end may be reported together with its line, and is reported once.
      const auto all = hear_out(running);
      EXPECT_TRUE(all.heard.ended);
      daemon = to_pid(all.output.substr(0, all.output.find('\n')));
    } else {
      daemon = to_pid(first_line(running));
    }
    EXPECT_TRUE(exists(daemon));
    EXPECT_NE(::getsid(daemon), ::getsid(0));
    running.end();
    EXPECT_FALSE(exists(daemon)) << what;
  }
}

// Even if it has ended before its supervisor first waits.
TEST(process_test, notices_the_end_of_what_is_over_at_once) {
  for (int i = 0; i < 500; ++i) {
    const auto running = started(call({"false"}));
    ASSERT_EQ(hear_out(running).end(), "exited with status 1") << i;
  }
}

TEST(process_test, end_reaches_a_crowd) {
  auto running = shell("for i in 1 2 3 4 5 6 7 8; do (sleep 100 & sleep 100) & done; sleep 100 & echo $!; wait");
  const pid_t last = to_pid(first_line(running));
  running.end();
  EXPECT_FALSE(exists(last));
}

TEST(process_test, ends_with_the_object_and_with_an_assignment) {
  pid_t first = 0;
  pid_t second = 0;
  {
    auto running = shell("exec sleep 100");
    first = running.pid();
    running = shell("exec sleep 100");
    EXPECT_FALSE(exists(first));
    second = running.pid();
    EXPECT_TRUE(exists(second));
    const process moved = std::move(running);
    EXPECT_EQ(moved.pid(), second);
    EXPECT_TRUE(exists(second));
  }
  EXPECT_FALSE(exists(second));
}

TEST(process_test, ends_when_the_caller_is_killed) {
  auto pid_pipe = tare::measure::open_pipe();
  ASSERT_TRUE(pid_pipe);
  const pid_t caller = ::fork();
  if (caller == 0) {
    const auto running = process::start(shell_command("exec sleep 100"));
    const pid_t pid = running ? running->pid() : -1;
    if (::write(pid_pipe->writer.get(), &pid, sizeof pid) < 0) ::_exit(1);
    constexpr timespec bounded{.tv_sec = 100, .tv_nsec = 0};
    ::nanosleep(&bounded, nullptr);
    ::_exit(0);
  }
  pid_t command = -1;
  EXPECT_EQ(::read(pid_pipe->reader.get(), &command, sizeof command), static_cast<ssize_t>(sizeof command));
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  ASSERT_GT(command, 0);
  EXPECT_TRUE(disappears(command));
}

TEST(process_test, leaves_no_child_and_no_open_file_behind) {
  const auto open_files = [] {
    const tare::base::file_descriptor next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return next.get();
  };
  const int before = open_files();
  for (int i = 0; i < 3; ++i) {
    auto running = shell("exec sleep 100");
    EXPECT_NE(start_complaint(call({"/"})), "started");
  }
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(process_test, a_command_that_cannot_run_is_an_error) {
  const support::temporary_folder folder;
  folder.write("text", "no program");
  const auto garbage = folder.write("garbage", "#!/nonexistent/shell\n").string();
  EXPECT_EQ(start_complaint({}), "the command is empty");
  EXPECT_EQ(start_complaint(call({"tare-no-such-command"})), "tare-no-such-command: command not found");
  EXPECT_EQ(start_complaint(call({"./text"}, folder.path())), "./text is not executable");
  EXPECT_EQ(start_complaint(call({"./."}, folder.path())), "./. is a folder");
  EXPECT_EQ(start_complaint(call({garbage})), "cannot run " + garbage + ": No such file or directory");
  EXPECT_EQ(start_complaint(call({"sh"}, "/nonexistent")), "cannot run sh in /nonexistent: No such file or directory");
}

TEST(run_test, returns_what_the_command_prints) {
  EXPECT_EQ(tare::measure::run(call({"echo", "1.2.3"}), patience), "1.2.3\n");
}

TEST(run_test, ends_what_the_command_leaves_running) {
  const auto output = tare::measure::run(call({support::path::daemon, "leave"}), patience);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_FALSE(exists(to_pid(*output)));
}

TEST(run_test, a_failure_comes_with_the_last_words) {
  const auto complaint = [](std::string line) {
    const auto output = tare::measure::run(shell_command(std::move(line)), patience);
    return output ? "succeeded" : output.error().message;
  };
  EXPECT_THAT(complaint("echo a; echo b >&2; exit 2"), testing::EndsWith("exited with status 2: b"));
  EXPECT_THAT(complaint("echo a; exit 2"), testing::EndsWith("exited with status 2: a"));
  EXPECT_EQ(complaint("exit 2"), "'/bin/sh -c 'exit 2'' exited with status 2");
}

TEST(run_test, has_a_time_limit) {
  const auto output = tare::measure::run(call({"sleep", "100"}), 200ms);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, fault::command);
  EXPECT_EQ(output.error().message, "'sleep 100' did not end within 0.2 s");
}

TEST(run_test, can_be_interrupted) {
  auto stop = tare::measure::open_pipe();
  ASSERT_TRUE(stop);
  ASSERT_EQ(::write(stop->writer.get(), "x", 1), 1);
  const auto output = tare::measure::run(call({"sleep", "100"}), patience, stop->reader.get());
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, fault::interrupted);
}

}  // namespace
