#include "inspect/memory/pause.hpp"

#include "inspect/memory/process_memory.hpp"

#include <fmt/format.h>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tare::inspect {
/// False if the thread has ended meanwhile.
bool pause::wait_until_stopped(stopped_thread& thread) {
  int status = 0;
  while (::waitpid(thread.number, &status, __WALL) < 0) {
    if (errno != EINTR) return false;
  }
  if (!WIFSTOPPED(status)) return false;
  const bool asked_for = status >> 16U == PTRACE_EVENT_STOP;
  thread.signal = asked_for ? 0 : WSTOPSIG(status);
  return true;
}

pause::pause(pause&& other) noexcept
    : threads_(std::exchange(other.threads_, {})), since_(other.since_), lasted_(other.lasted_) {}

base::result<pause> pause::begin(pid_t pid) {
  pause begun;
  // Threads that are not stopped yet may start others: until a look finds no new one.
  for (bool found = true; found;) {
    found = false;
    for (const pid_t thread : threads_of(pid)) {
      if (std::ranges::find(begun.threads_, thread, &stopped_thread::number) != begun.threads_.end()) continue;
      if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
        if (errno == ESRCH) continue;
        const int why = errno;
        const std::string what = fmt::format("cannot stop process {}", pid);
        if (why == EPERM) {
          return std::unexpected(
              base::error{base::fault::system, what + ": a debugger is at it, or it takes the capability "
                                                      "CAP_SYS_PTRACE; without --pause it is read as it runs"});
        }
        return base::system_error(what, why);
      }
      stopped_thread one{.number = thread};
      if (::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) != 0 || !wait_until_stopped(one)) {
        (void)::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
        continue;
      }
      begun.threads_.push_back(one);
      found = true;
    }
  }
  if (begun.threads_.empty()) {
    return std::unexpected(base::error{base::fault::input, fmt::format("there is no process {}", pid)});
  }
  return begun;
}

std::chrono::nanoseconds pause::end() noexcept {
  if (threads_.empty()) return lasted_;
  for (const auto& thread : threads_) (void)::ptrace(PTRACE_DETACH, thread.number, nullptr, thread.signal);
  threads_.clear();
  lasted_ = std::chrono::steady_clock::now() - since_;
  return lasted_;
}

}  // namespace tare::inspect
