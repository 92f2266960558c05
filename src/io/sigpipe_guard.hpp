#pragma once

// For libraries that write to sockets with write(2): makes a broken pipe an error instead of a signal that ends the
// program. The program's own handling of SIGPIPE must not change, so the signal is blocked only temporarily and only
// for this thread.

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
    // Blocking cannot fail, because the arguments are valid.
    if (!was_pending_) (void)::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~sigpipe_guard() {
    // A signal that was already pending is blocked anyway, and must not be consumed here.
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
