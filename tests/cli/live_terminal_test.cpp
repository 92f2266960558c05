// The screen on a pseudo terminal, in a process of its own.

#include "cli/live_terminal.hpp"

#include "snapshots.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using tare::base::fault;
using tare::base::result;
using tare::inspect::live_snapshot;
using testing::HasSubstr;
using testing::Not;

/// What terminals do when the screen is left.
constexpr std::string_view restored = "\x1b[?1049l";

enum ended : int { by_key = 0, by_signal = 10, by_process = 11, by_input = 12 };

/// How watch_live() ends, as an exit status.
int watch(std::chrono::milliseconds interval, int most) {
  int taken = 0;
  tare::cli::stop_request stop;
  const auto shown = tare::cli::watch_live(
      [&]() -> result<live_snapshot> {
        if (++taken > most) return tare::base::command_error("the process has ended");
        live_snapshot server = cli_test::a_server();
        if (taken == 3) server.sites[0].function = "THIRD";
        return server;
      },
      interval, stop);
  if (shown) return by_key;
  if (shown.error().kind == fault::interrupted) return by_signal;
  return shown.error().kind == fault::input ? by_input : by_process;
}

class watching {
 public:
  explicit watching(std::chrono::milliseconds interval, int most = 1'000'000, const char* type = "xterm") {
    winsize size{.ws_row = 24, .ws_col = 100, .ws_xpixel = 0, .ws_ypixel = 0};
    process_ = ::forkpty(&terminal_, nullptr, nullptr, &size);
    if (process_ != 0) return;
    ::setenv("TERM", type, 1);  // NOLINT(concurrency-mt-unsafe): the only thread
    ::_exit(watch(interval, most));
  }
  watching(const watching&) = delete;
  watching& operator=(const watching&) = delete;
  ~watching() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    ::close(terminal_);
  }

  void press(std::string_view keys) const {
    ASSERT_EQ(::write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  void send(int signal) const { ::kill(process_, signal); }
  void resize(unsigned short rows, unsigned short columns) const {
    winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(terminal_, TIOCSWINSZ, &size);
  }

  /// Reads until the text has come since the last call; what came is in output().
  bool sees(std::string_view text) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (output_.find(text, seen_) == std::string::npos) {
      if (std::chrono::steady_clock::now() > deadline || !read()) return false;
    }
    seen_ = output_.find(text, seen_) + text.size();
    return true;
  }

  int status() {
    while (read()) {
    }
    int how = 0;
    ::waitpid(process_, &how, 0);
    process_ = -1;
    return WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
  }

  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  bool read() {
    pollfd ready{.fd = terminal_, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 20'000) != 1) return false;
    char piece[4096];
    const ssize_t size = ::read(terminal_, piece, sizeof piece);
    if (size <= 0) return false;
    output_.append(piece, static_cast<std::size_t>(size));
    return true;
  }

  int terminal_ = -1;
  pid_t process_ = -1;
  std::string output_;
  std::size_t seen_ = 0;
};

TEST(live_terminal_test, shows_the_screen_and_leaves_at_q) {
  watching screen(1h);
  ASSERT_TRUE(screen.sees("server (process 42)"));
  ASSERT_TRUE(screen.sees("serve(stream, int)"));
  ASSERT_TRUE(screen.sees("q quit"));
  screen.press("?");
  ASSERT_TRUE(screen.sees("Page Up"));
  screen.press("q");
  EXPECT_EQ(screen.status(), by_key);
  EXPECT_THAT(screen.output(), HasSubstr(restored));
}

TEST(live_terminal_test, function_keys_arrive) {
  watching screen(1h);
  ASSERT_TRUE(screen.sees("q quit"));
  screen.press("\x1bOF\r");  // End, Enter
  ASSERT_TRUE(screen.sees("└ handle"));
  screen.press("/hand");
  ASSERT_TRUE(screen.sees("1 of 3 places"));
  screen.press("\x1b");  // Escape
  ASSERT_TRUE(screen.sees("q quit"));
  screen.press("q");
  EXPECT_EQ(screen.status(), by_key);
}

TEST(live_terminal_test, takes_a_new_snapshot_after_each_interval) {
  watching screen(20ms);
  ASSERT_TRUE(screen.sees("THIRD"));
  screen.press("q");
  EXPECT_EQ(screen.status(), by_key);
}

TEST(live_terminal_test, follows_the_size_of_the_terminal) {
  watching screen(1h);
  ASSERT_TRUE(screen.sees("q quit"));
  screen.resize(4, 60);
  ASSERT_TRUE(screen.sees("too small"));
  screen.resize(30, 90);
  ASSERT_TRUE(screen.sees("serve(stream, int)"));
  screen.press("q");
  EXPECT_EQ(screen.status(), by_key);
}

TEST(live_terminal_test, a_process_that_ends_ends_it_with_the_terminal_restored) {
  watching screen(10ms, 3);
  EXPECT_EQ(screen.status(), by_process);
  EXPECT_THAT(screen.output(), HasSubstr("server (process 42)"));
  EXPECT_THAT(screen.output(), HasSubstr(restored));
  watching never(10ms, 0);
  EXPECT_EQ(never.status(), by_process);
  EXPECT_EQ(never.output(), "") << "a missing process is reported without a screen";
}

TEST(live_terminal_test, signals_end_it_with_the_terminal_restored) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    watching screen(1h);
    ASSERT_TRUE(screen.sees("q quit"));
    screen.send(signal);
    EXPECT_EQ(screen.status(), by_signal);
    EXPECT_THAT(screen.output(), HasSubstr(restored));
  }
  watching screen(1h);
  ASSERT_TRUE(screen.sees("q quit"));
  screen.press("\x03");  // Ctrl-C
  EXPECT_EQ(screen.status(), by_signal);
}

TEST(live_terminal_test, a_terminal_that_is_not_known_is_refused) {
  watching screen(1h, 1, "no-such-terminal");
  EXPECT_EQ(screen.status(), by_input);
  EXPECT_THAT(screen.output(), Not(HasSubstr("server")));
}

TEST(live_terminal_test, no_terminal_is_refused) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::_exit(watch(1h, 1));
  }
  ::close(ends[1]);
  int how = 0;
  ::waitpid(child, &how, 0);
  EXPECT_EQ(WEXITSTATUS(how), by_input);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 0) << "nothing is written";
  ::close(ends[0]);
}

}  // namespace
