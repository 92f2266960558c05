// Child processes: what they get, how they end, and that none is left behind.

#include "net/on_reactors.hpp"
#include "support/descriptor_limit.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::net::exit_status;
using tare::net::process;
using tare::net::process_options;
using tare::net::process_output;
using tare::net::run_process;
using tare::net::stdio;
using tare::testing::bytes_of;

class net_process : public tare::testing::on_reactors {
 protected:
  using outcome = task<tare::net::result<process_output>>;

  // Not coroutines, because g++ 12 destroys the defaults of a call inside a co_await expression twice.
  static outcome run_program(const std::string& program, const process_options& options = {}) {
    return run_process(program, options, std::string());
  }
  /// Runs `sh -c script`.
  static outcome shell(const std::string& script) { return shell(script, process_options(), std::string()); }
  static outcome shell(const std::string& script, process_options options, const std::string& input) {
    options.arguments = {"-c", script};
    return run_process("sh", options, input);
  }

  static process start_shell(std::string script, process_options options = {}) {
    options.arguments = {"-c", std::move(script)};
    return process::start("sh", options).value();
  }

  /// No child is left, not even its entry in the system's table.
  static task<> expect_no_children() {
    for (int i = 0; i < 5'000; ++i) {
      siginfo_t info{};
      if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD) co_return;
      co_await tare::sleep_for(1ms);
    }
    ADD_FAILURE() << "a child is left";
  }
};

TEST_P(net_process, gets_arguments_input_environment_and_directory) {
  run([]() -> task<> {
    const support::temporary_folder folder;
    process_options options;
    options.directory = folder.path().string();
    options.environment = std::vector<std::string>{"NAME=some value", "PATH=/usr/bin:/bin"};
    const auto got = co_await shell("pwd; echo \"$NAME\"; cat; echo oops >&2", options, "from the parent\n");
    EXPECT_TRUE(got.has_value());
    if (!got) co_return;
    EXPECT_TRUE(got->status.is_success());
    const std::string expected = std::filesystem::canonical(folder.path()).string() + "\nsome value\nfrom the parent\n";
    EXPECT_EQ(got->output, expected);
    EXPECT_EQ(got->errors, "oops\n");
    const auto words = co_await shell(R"(printf '%s|' "$0" "$@")");
    EXPECT_EQ(words->output, "sh|");
  }());
}

TEST_P(net_process, says_how_it_ended) {
  run([]() -> task<> {
    auto got = co_await shell("exit 7");
    EXPECT_EQ(got->status, exit_status{.code = 7});
    got = co_await shell("kill -KILL $$");
    EXPECT_EQ(got->status, exit_status{.signal = SIGKILL});
    EXPECT_FALSE(got->status.is_success());
    auto child = start_shell("exit 3");
    for (int i = 0; i < 3; ++i) {
      const auto ended = co_await child.wait();
      EXPECT_EQ(ended->code, 3) << "also when asked again";
    }
    EXPECT_EQ(child.signal(SIGTERM).error(), std::errc::no_such_process);
  }());
}

TEST_P(net_process, says_why_it_cannot_begin) {
  run([]() -> task<> {
    process_options options;
    auto got = co_await run_program("no-such-program-anywhere", options);
    EXPECT_EQ(got.error(), std::errc::no_such_file_or_directory);
    got = co_await run_program("/etc/passwd", options);
    EXPECT_EQ(got.error(), std::errc::permission_denied);
    options.directory = "/no/such/folder";
    got = co_await run_program("true", options);
    EXPECT_EQ(got.error(), std::errc::no_such_file_or_directory);
    options.directory = {};
    options.arguments = {std::string("a\0b", 3)};
    got = co_await run_program("true", options);
    EXPECT_EQ(got.error(), std::errc::invalid_argument);
    co_await expect_no_children();
  }());
}

TEST_P(net_process, leaves_no_child_and_no_descriptor_at_whichever_step_descriptors_run_out) {
  run([]() -> task<> {
    auto warm = co_await shell("true");  // the reactor and its descriptors exist
    EXPECT_TRUE(warm.has_value());
    const int before = ::dup(0);
    ::close(before);
    bool began = false;
    for (rlim_t spare = 0; !began && spare < 20; ++spare) {
      {
        const support::descriptor_limit few(spare);
        process_options options;
        options.arguments = {"-c", "exec sleep 1000"};
        options.input = options.output = options.errors = stdio::pipe;
        auto child = process::start("sh", options);
        began = child.has_value();
        if (!child) {
          EXPECT_EQ(child.error(), std::errc::too_many_files_open) << spare;
        }
      }
      co_await expect_no_children();
      const int after = ::dup(0);
      ::close(after);
      EXPECT_EQ(after, before) << "with " << spare << " a descriptor is left";
    }
    EXPECT_TRUE(began);
  }());
}

TEST_P(net_process, moves_much_in_both_directions_at_the_same_time) {
  run([]() -> task<> {
    const std::string much(3'000'000, 'x');
    process_options options;
    auto running = run_process("cat", options, much, much.size());
    const auto got = co_await std::move(running);
    EXPECT_TRUE(got.has_value() && got->output == much);
    // It ends without having read everything, which is no error.
    auto first = run_process("head", {.arguments = {"-c", "10"}}, much);
    const auto head = co_await std::move(first);
    EXPECT_TRUE(head.has_value() && head->output == "xxxxxxxxxx");
  }());
}

TEST_P(net_process, that_prints_too_much_is_killed) {
  run([]() -> task<> {
    for (const char* const script : {"yes", "yes >&2"}) {
      process_options options;
      options.arguments = {"-c", script};
      auto running = run_process("sh", options, {}, 10'000);
      const auto got = co_await std::move(running);
      EXPECT_EQ(got.error(), std::errc::file_too_large);
    }
    auto exact = run_process("head", {.arguments = {"-c", "10000", "/dev/zero"}}, {}, 10'000);
    const auto got = co_await std::move(exact);
    EXPECT_TRUE(got.has_value());
    co_await expect_no_children();
  }());
}

TEST_P(net_process, of_a_cancelled_task_is_killed) {
  run([]() -> task<> {
    const std::string unread(1'000'000, 'x');
    for (const std::string& input : {std::string(), unread}) {
      for (const char* const script : {"exec sleep 1000", "exec yes >/dev/null", "sleep 1000; true"}) {
        process_options options;
        options.arguments = {"-c", script};
        options.own_group = true;
        const auto in_time = co_await tare::timeout(50ms, run_process("sh", options, input));
        EXPECT_FALSE(in_time.has_value());
      }
    }
    co_await expect_no_children();
  }());
}

TEST_P(net_process, runs_on_while_only_the_wait_is_cancelled_and_is_killed_with_its_object) {
  run([]() -> task<> {
    {
      auto child = start_shell("exec sleep 1000");
      const auto in_time = co_await tare::timeout(20ms, child.wait());
      EXPECT_FALSE(in_time.has_value());
      EXPECT_EQ(::kill(child.id(), 0), 0);
      process other = std::move(child);
      EXPECT_EQ(::kill(other.id(), 0), 0) << "moved";
      other = start_shell("exec sleep 1000");  // the first one is killed
      const auto status = co_await other.stop(10s);
      EXPECT_EQ(status->signal, SIGTERM);
      other = start_shell("exec sleep 1000");
    }
    co_await expect_no_children();
  }());
}

TEST_P(net_process, is_stopped_in_two_steps) {
  run([]() -> task<> {
    auto polite = start_shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done", {.output = stdio::pipe});
    std::array<std::byte, 16> buffer{};
    (void)co_await polite.output().read(buffer);
    auto ended = co_await polite.stop(20s);
    EXPECT_EQ(ended->code, 5);
    auto stubborn = start_shell("trap '' TERM; echo ready; while :; do sleep 0.01; done", {.output = stdio::pipe});
    (void)co_await stubborn.output().read(buffer);
    ended = co_await stubborn.stop(50ms);
    EXPECT_EQ(ended->signal, SIGKILL);
  }());
}

TEST_P(net_process, takes_its_group_with_it) {
  run([]() -> task<> {
    std::array<std::byte, 64> buffer{};
    std::size_t size = 0;
    {
      process_options options;
      options.output = stdio::pipe;
      options.own_group = true;
      auto child = start_shell("sleep 1000 & echo $!; wait", options);
      const auto got = co_await child.output().read(buffer);
      size = *got;
    }
    const pid_t grandchild = std::stoi(std::string(reinterpret_cast<const char*>(buffer.data()), size));
    EXPECT_GT(grandchild, 1);
    bool gone = false;
    for (int i = 0; i < 5'000 && !gone; ++i) {
      // Without a parent, it may remain as a zombie, which the first process of the system removes.
      std::string state = "Z";
      if (FILE* const status = std::fopen(("/proc/" + std::to_string(grandchild) + "/stat").c_str(), "r")) {
        std::array<char, 256> text{};
        if (std::fgets(text.data(), text.size(), status) != nullptr) state = std::string(text.data());
        std::fclose(status);
        state = state.substr(state.rfind(')') + 2, 1);
      }
      gone = state == "Z" || state == "X";
      if (!gone) co_await tare::sleep_for(1ms);
    }
    EXPECT_TRUE(gone);
    co_await expect_no_children();
  }());
}

TEST_P(net_process, inherits_no_descriptor_but_the_standard_streams) {
  run([]() -> task<> {
    const int leaky = ::dup(STDERR_FILENO);  // without close-on-exec
    auto another = start_shell("exec sleep 1000", {.input = stdio::pipe, .output = stdio::pipe});
    const auto got = co_await shell("exec ls /proc/self/fd");
    EXPECT_EQ(got->output, "0\n1\n2\n3\n") << "3 is the folder that ls reads";
    ::close(leaky);
  }());
}

TEST_P(net_process, has_default_signals) {
  run([]() -> task<> {
    ::signal(SIGTERM, SIG_IGN);
    sigset_t blocked{};
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    auto child = start_shell("exec sleep 1000");
    const auto ended = co_await child.stop(20s);
    EXPECT_EQ(ended->signal, SIGTERM);
    ::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
    ::signal(SIGTERM, SIG_DFL);
  }());
}

TEST_P(net_process, that_has_closed_its_input_breaks_the_pipe_without_a_signal) {
  run([]() -> task<> {
    auto child = start_shell("exec <&-; echo closed; exec sleep 1000", {.input = stdio::pipe, .output = stdio::pipe});
    std::array<std::byte, 16> buffer{};
    (void)co_await child.output().read(buffer);
    const auto sent = co_await child.input().write(bytes_of("text"));
    EXPECT_EQ(sent.error(), std::errc::broken_pipe);
    child.input().close();
    const auto closed = co_await child.input().write(bytes_of("text"));
    EXPECT_EQ(closed.error(), std::errc::bad_file_descriptor);
  }());
}

TEST_P(net_process, can_be_one_of_many) {
  run([]() -> task<> {
    int succeeded = 0;
    auto attempt = [](int number, int& count) -> task<> {
      const std::string text = std::to_string(number);
      const auto got = co_await shell("cat", process_options(), text);
      if (got && got->output == text) ++count;
    };
    auto all = [&](tare::scope& in) -> task<> {
      for (int i = 0; i < 40; ++i) in.spawn(attempt(i, succeeded));
      co_return;
    };
    co_await tare::with_scope(all);
    EXPECT_EQ(succeeded, 40);
    co_await expect_no_children();
  }());
}

TEST_P(net_process, leaves_nothing_behind_when_the_runtime_ends_or_outside_a_task) {
  std::optional<process> outlives;
  pid_t held = -1;
  {
    tare::runtime rt(options());
    auto holds = [](pid_t& id) -> task<> {
      auto child = start_shell("exec sleep 1000");
      id = child.id();
      co_await tare::sleep_for(1h);
    };
    rt.spawn_on(0, holds(held));
    auto starts = [&]() -> task<> {
      co_await tare::sleep_for(5ms);
      outlives.emplace(start_shell("exec sleep 1000"));
    };
    rt.run(starts());
  }
  EXPECT_EQ(::waitpid(held, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  const pid_t kept = outlives->id();
  EXPECT_EQ(::kill(kept, 0), 0);
  outlives.reset();
  EXPECT_EQ(::waitpid(kept, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TARE_ON_ALL_REACTORS(net_process);

}  // namespace
