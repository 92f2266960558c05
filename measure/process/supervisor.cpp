#include "measure/process/supervisor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

namespace tare::measure {
namespace {

template <class T>
void send(int fd, const T& value) noexcept {
  static_assert(sizeof value <= PIPE_BUF, "written at once or not at all");
  while (::write(fd, &value, sizeof value) < 0 && errno == EINTR) {
  }
}

/// Turns the child of the supervisor into the command.
[[noreturn]] void become_command(const supervised& job) noexcept {
  start_notice notice{.command = ::getpid()};

  // A separate process group: Ctrl-C at the terminal goes only to the caller, which decides what happens here.
  ::setpgid(0, 0);
  // Last resort if the supervisor itself is killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);

  ::dup2(job.input, STDIN_FILENO);
  ::dup2(job.output, STDOUT_FILENO);
  ::dup2(job.errors, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);

  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t nothing;
  sigemptyset(&nothing);
  ::pthread_sigmask(SIG_SETMASK, &nothing, nullptr);

  if (job.directory != nullptr && ::chdir(job.directory) != 0) {
    notice.failed_at = start_step::directory;
    notice.error_number = errno;
    send(job.start, notice);
    ::_exit(127);
  }
  ::clock_gettime(CLOCK_MONOTONIC, &notice.before_exec);
  send(job.start, notice);
  ::execve(job.program, job.arguments, job.environment);
  notice.failed_at = start_step::exec;
  notice.error_number = errno;
  send(job.start, notice);
  ::_exit(127);
}

/// Collects ended children and reports the command if it is among them.
class reaper {
 public:
  reaper(pid_t command, int report) noexcept : command_(command), report_(report) {}

  /// False when there are no children left.
  bool reap() noexcept {
    while (true) {
      int status = 0;
      const pid_t ended = ::waitpid(-1, &status, WNOHANG);
      if (ended == command_) {
        command_ended_ = true;
        send(report_, status);
      }
      if (ended == 0) return true;
      if (ended < 0 && errno != EINTR) return false;
    }
  }

  /// Once it has been collected, its pid may be reused.
  [[nodiscard]] bool command_ended() const noexcept { return command_ended_; }

 private:
  pid_t command_;
  int report_;
  bool command_ended_ = false;
};

/// Empties a signalfd.
void discard(int signals) noexcept {
  signalfd_siginfo ignored;
  while (::read(signals, &ignored, sizeof ignored) > 0) {
  }
}

/// Sends SIGKILL to every process in the kernel's list of this process's children.
void kill_children() noexcept {
  const int list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (list < 0) return;
  char text[512];
  pid_t pid = 0;
  while (true) {
    const ssize_t length = ::read(list, text, sizeof text);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    for (ssize_t i = 0; i < length; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
      } else {
        if (pid > 0) ::kill(pid, SIGKILL);
        pid = 0;
      }
    }
  }
  ::close(list);
}

}  // namespace

void supervise(const supervised& job) noexcept {
  // If the caller ignores SIGCHLD, the kernel would collect the children and discard their exit status.
  struct sigaction by_default{};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &by_default, nullptr);
  ::setpgid(0, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_NAME, "tare-supervisor");

  const pid_t command = ::fork();
  if (command == 0) become_command(job);
  if (command < 0) {
    send(job.start, start_notice{.failed_at = start_step::fork, .error_number = errno});
    ::_exit(1);
  }

  // Close the caller's descriptors, so that its pipes do not outlive it because of this process.
  constexpr int control = STDIN_FILENO;
  constexpr int report = STDOUT_FILENO;
  ::dup2(job.control, control);
  ::dup2(job.report, report);
  ::close_range(STDERR_FILENO, UINT_MAX, 0);

  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  const int ended = ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);

  reaper children(command, report);
  pollfd watched[] = {{control, POLLIN, 0}, {ended, POLLIN, 0}};
  do {
    // In this order, because processes that end after the reaping are announced again.
    discard(ended);
    children.reap();
  } while ((::poll(watched, 2, -1) >= 0 || errno == EINTR) && watched[0].revents == 0);

  // A killed process cannot start anything, and its children are reparented to this process: each round goes one
  // generation down. The rounds are limited because a process stuck in the kernel does not die until it leaves it.
  children.reap();
  if (!children.command_ended()) ::kill(-command, SIGKILL);
  for (int round = 0; round < 1000 && children.reap(); ++round) {
    kill_children();
    ::poll(watched + 1, 1, 10);
    discard(ended);
  }
  ::_exit(0);
}

}  // namespace tare::measure
