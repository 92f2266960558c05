#include "measure/process/process.hpp"

#include "measure/process/pipe.hpp"
#include "measure/process/supervisor.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::measure {
namespace {

/// How long the supervisor may take to end everything. A process that survives SIGKILL for this long is stuck in the
/// kernel, and waiting longer would only hang the caller too.
constexpr std::chrono::milliseconds patience = std::chrono::seconds(5);

/// No signal handler of the caller may run in the fork.
class all_signals_blocked {
 public:
  all_signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  all_signals_blocked(const all_signals_blocked&) = delete;
  all_signals_blocked& operator=(const all_signals_blocked&) = delete;
  ~all_signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

/// The caller's environment, with the variables in `added` instead of those of the same name.
std::vector<char*> environment_of(std::vector<std::string>& added) {
  const auto is_replaced = [&](std::string_view variable) {
    return std::ranges::any_of(
        added, [&](std::string_view text) { return variable.starts_with(text.substr(0, text.find('=') + 1)); });
  };
  std::vector<char*> all;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!is_replaced(*each)) all.push_back(*each);
  }
  for (auto& variable : added) all.push_back(variable.data());
  all.push_back(nullptr);
  return all;
}

/// Reads the notices until the pipe closes, which it does when the command executes or gives up. The last one counts.
start_notice read_notices(const base::file_descriptor& pipe) {
  start_notice last{.failed_at = start_step::fork, .error_number = ECHILD};
  while (true) {
    start_notice notice;
    const ssize_t length = ::read(pipe.get(), &notice, sizeof notice);
    if (length < 0 && errno == EINTR) continue;
    if (std::cmp_not_equal(length, sizeof notice)) return last;
    last = notice;
  }
}

std::unexpected<base::error> start_error(const command& what, const start_notice& notice) {
  const std::string& program = what.arguments.front();
  switch (notice.failed_at) {
    case start_step::directory:
      return base::system_error(fmt::format("cannot run {} in {}", program, what.directory.string()),
                                notice.error_number);
    case start_step::exec:
      return base::system_error(fmt::format("cannot run {}", program), notice.error_number);
    default:
      return base::system_error(fmt::format("cannot start a process for {}", program), notice.error_number);
  }
}

}  // namespace

process::process(child supervisor, base::file_descriptor control, base::file_descriptor report,
                 base::file_descriptor output, base::file_descriptor errors) noexcept
    : supervisor_(std::move(supervisor)),
      control_(std::move(control)),
      report_(std::move(report)),
      output_(std::move(output)),
      errors_(std::move(errors)) {}

process& process::operator=(process&& other) noexcept {
  if (this != &other) {
    end();
    supervisor_ = std::move(other.supervisor_);
    pid_ = other.pid_;
    started_at_ = other.started_at_;
    control_ = std::move(other.control_);
    report_ = std::move(other.report_);
    output_ = std::move(other.output_);
    errors_ = std::move(other.errors_);
  }
  return *this;
}

base::result<process> process::start(const command& what) {
  if (what.arguments.empty()) return base::command_error("the command is empty");
  const auto program = find_program(what.arguments.front(), what.directory);
  if (!program) return std::unexpected(program.error());

  base::file_descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) return base::system_error("cannot open /dev/null", errno);
  auto input = above_standard_streams(std::move(nothing));
  auto output = open_pipe();
  auto errors = open_pipe();
  auto start = open_pipe();
  auto report = open_pipe();
  auto control = open_pipe();
  if (!input) return std::unexpected(input.error());
  for (const auto* pipe : {&output, &errors, &start, &report, &control})
    if (!*pipe) return std::unexpected(pipe->error());
  for (const auto* pipe : {&output, &errors})
    if (const auto set = make_non_blocking((*pipe)->reader); !set) return std::unexpected(set.error());

  std::vector<std::string> words = what.arguments;
  std::vector<std::string> added = what.environment;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment = environment_of(added);
  const supervised job{
      .program = program->c_str(),
      .arguments = arguments.data(),
      .environment = environment.data(),
      .directory = what.directory.empty() ? nullptr : what.directory.c_str(),
      .input = input->get(),
      .output = output->writer.get(),
      .errors = errors->writer.get(),
      .start = start->writer.get(),
      .report = report->writer.get(),
      .control = control->reader.get(),
  };

  pid_t supervisor = -1;
  {
    const all_signals_blocked around_fork;
    supervisor = ::fork();
    if (supervisor == 0) supervise(job);
  }
  if (supervisor < 0)
    return base::system_error(fmt::format("cannot start a process for {}", what.arguments.front()), errno);

  // From here on the object ends what was started, whatever happens.
  process started(child(supervisor), std::move(control->writer), std::move(report->reader), std::move(output->reader),
                  std::move(errors->reader));
  for (auto* pipe : {&output, &errors, &start, &report}) (*pipe)->writer.reset();
  control->reader.reset();

  const start_notice notice = read_notices(start->reader);
  if (notice.failed_at != start_step::none) return start_error(what, notice);
  started.pid_ = notice.command;
  started.started_at_ = clock::time_point(std::chrono::seconds(notice.before_exec.tv_sec) +
                                          std::chrono::nanoseconds(notice.before_exec.tv_nsec));
  return started;
}

void process::end() noexcept {
  if (supervisor_.pid < 0) return;
  control_.reset();
  // A full pipe would not stop SIGKILL, but with closed ends it is also harmless to lose the supervisor's report.
  output_.reset();
  errors_.reset();

  const auto deadline = clock::now() + patience;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
    if (left.count() <= 0) break;
    pollfd watched{report_.get(), POLLIN, 0};
    const int ready = ::poll(&watched, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno != EINTR) break;
    if (ready <= 0) continue;
    int status = 0;
    const ssize_t length = ::read(report_.get(), &status, sizeof status);
    if (length == 0 || (length < 0 && errno != EINTR)) break;  // closed: the supervisor has ended
  }
  report_.reset();
  ::kill(supervisor_.pid, SIGKILL);  // No effect if it has ended, because it has not been collected yet.
  while (::waitpid(supervisor_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  supervisor_.pid = -1;
}

}  // namespace tare::measure
