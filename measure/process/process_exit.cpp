#include "measure/process/process_exit.hpp"

#include <fmt/format.h>

#include <sys/wait.h>

#include <csignal>
#include <cstring>

namespace tare::measure {

std::string process_exit::text() const {
  if (WIFEXITED(wait_status_)) return fmt::format("exited with status {}", WEXITSTATUS(wait_status_));
  if (!WIFSIGNALED(wait_status_)) return "ended";
  const int number = WTERMSIG(wait_status_);
  const char* name = ::sigabbrev_np(number);
  if (name == nullptr) return fmt::format("was killed by signal {}", number);
  // There is no notification when the kernel's OOM killer chooses this process; this is how it appears from outside.
  const char* meaning = number == SIGKILL ? "Killed; the kernel does this when memory runs out" : ::sigdescr_np(number);
  return fmt::format("was killed by SIG{} ({})", name, meaning);
}

}  // namespace tare::measure
