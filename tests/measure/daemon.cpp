// Does what a program does to get away from the process that started it: a second fork, its own session, no open
// descriptors. Prints the number of the process that remains.
//
//   daemon leave    ends immediately
//   daemon stay     does not
//
// setsid(1) may not exist where the tests run.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace {

/// Bounded, in case a test fails.
void sleep_bounded() {
  constexpr timespec time{.tv_sec = 300, .tv_nsec = 0};
  ::nanosleep(&time, nullptr);
}

[[noreturn]] void become_daemon(int report) {
  ::setsid();
  const pid_t second = ::fork();
  if (second != 0) ::_exit(second < 0 ? 1 : 0);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) std::signal(number, SIG_IGN);
  const pid_t self = ::getpid();
  if (::write(report, &self, sizeof self) != static_cast<ssize_t>(sizeof self)) ::_exit(1);
  ::close_range(0, ~0U, 0);
  sleep_bounded();
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  int report[2];
  if (argc != 2 || ::pipe(report) != 0) return EXIT_FAILURE;
  const pid_t first = ::fork();
  if (first < 0) return EXIT_FAILURE;
  if (first == 0) become_daemon(report[1]);
  pid_t last = 0;
  if (::waitpid(first, nullptr, 0) != first || ::read(report[0], &last, sizeof last) <= 0) return EXIT_FAILURE;
  std::printf("%d\n", static_cast<int>(last));
  std::fflush(stdout);
  if (std::string_view(argv[1]) == "stay") sleep_bounded();
}
