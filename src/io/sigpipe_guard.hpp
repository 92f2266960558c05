#pragma once

// For libraries that write to sockets by write(2): a broken pipe is to be an error there, not a signal that ends the
// program. What a program has made of SIGPIPE is its own, so it is blocked only meanwhile, and only for the thread.

#include <cerrno>
#include <csignal>
#include <ctime>

namespace tare::detail {

class sigpipe_guard {
 public:
  sigpipe_guard() noexcept {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending{};
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    // Blocking cannot fail: the arguments are right.
    if (!was_pending_) (void)::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~sigpipe_guard() {
    // One that was pending before is blocked anyway, and is not ours to take.
    if (was_pending_) return;
    constexpr timespec at_once{};
    while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  sigpipe_guard(const sigpipe_guard&) = delete;
  sigpipe_guard& operator=(const sigpipe_guard&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace tare::detail
