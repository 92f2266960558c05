#include "io/sigpipe_guard.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>

namespace {

using tare::detail::sigpipe_guard;

[[nodiscard]] bool is_pending() {
  sigset_t pending{};
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGPIPE) == 1;
}

void block_pipe(int how) {
  sigset_t pipe{};
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(how, &pipe, nullptr);
}

/// Writes to a pipe whose read end is closed.
[[nodiscard]] bool write_breaks() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return false;
  ::close(ends[0]);
  const bool broke = ::write(ends[1], "x", 1) < 0 && errno == EPIPE;
  ::close(ends[1]);
  return broke;
}

/// Runs it in a separate process, which a signal would kill.
void expect_survives(const std::function<bool()>& right) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(std::_Exit(right() ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

TEST(sigpipe_guard, a_broken_pipe_is_an_error_and_no_signal) {
  expect_survives([] {
    ::signal(SIGPIPE, SIG_DFL);
    block_pipe(SIG_UNBLOCK);
    bool broke = false;
    {
      const sigpipe_guard guard;
      broke = write_breaks();
    }
    return broke && !is_pending();
  });
}

TEST(sigpipe_guard, nothing_is_left_of_one_within_another) {
  expect_survives([] {
    ::signal(SIGPIPE, SIG_DFL);
    block_pipe(SIG_UNBLOCK);
    const sigpipe_guard outer;
    bool broke = write_breaks();
    {
      const sigpipe_guard inner;
      broke = write_breaks() && broke;
    }
    return broke;
  });
}

TEST(sigpipe_guard, what_was_pending_stays_pending) {
  expect_survives([] {
    ::signal(SIGPIPE, SIG_DFL);
    block_pipe(SIG_BLOCK);
    ::raise(SIGPIPE);
    {
      const sigpipe_guard guard;
      if (!write_breaks()) return false;
    }
    return is_pending();
  });
}

TEST(sigpipe_guard, a_thread_that_blocks_it_goes_on_to_do_so) {
  expect_survives([] {
    ::signal(SIGPIPE, SIG_DFL);
    block_pipe(SIG_BLOCK);
    {
      const sigpipe_guard guard;
      if (!write_breaks()) return false;
    }
    return !is_pending() && write_breaks() && is_pending();
  });
}

}  // namespace
