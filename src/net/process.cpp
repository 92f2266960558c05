#include <tare/net/process.hpp>

#include "net/socket.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"

#include <tare/error.hpp>
#include <tare/net/readiness.hpp>
#include <tare/runtime.hpp>
#include <tare/scope.hpp>
#include <tare/shield.hpp>
#include <tare/timeout.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

namespace tare::net {

namespace {

using detail::failed_with;
using detail::pipe_end;

// The header of glibc 2.36 for these two calls cannot be used from C++.
int open_pidfd(pid_t pid) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
int send_signal(int pidfd, int number) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0));
}

/// posix_spawn's lists of what happens in the child.
class child_setup {
 public:
  child_setup() {
    check(::posix_spawn_file_actions_init(&actions_));
    check(::posix_spawnattr_init(&attributes_));
  }
  ~child_setup() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  child_setup(const child_setup&) = delete;
  child_setup& operator=(const child_setup&) = delete;

  void connect(int fd, int as) { check(::posix_spawn_file_actions_adddup2(&actions_, fd, as)); }
  void connect_to_null(int as) {
    check(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", as == 0 ? O_RDONLY : O_WRONLY, 0));
  }
  void enter(const std::string& directory) {
    if (!directory.empty()) check(::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str()));
  }
  /// Inherited streams stay; everything else does not reach the child, even without close-on-exec.
  void close_the_rest() { check(::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1)); }
  void reset_signals(bool own_group) {
    sigset_t all{};
    ::sigfillset(&all);
    sigset_t none{};
    ::sigemptyset(&none);
    check(::posix_spawnattr_setsigdefault(&attributes_, &all));
    check(::posix_spawnattr_setsigmask(&attributes_, &none));
    const int group = own_group ? POSIX_SPAWN_SETPGROUP : 0;
    check(::posix_spawnattr_setflags(&attributes_,
                                     static_cast<short>(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | group)));
  }

  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] const posix_spawn_file_actions_t* actions() const noexcept { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
  void check(int error) noexcept {
    if (error_ == 0) error_ = error;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  int error_ = 0;
};

/// A null-terminated list of pointers to the texts.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& each : texts) all.push_back(each.data());
  all.push_back(nullptr);
  return all;
}

bool has_null(const std::vector<std::string>& texts) {
  return std::ranges::any_of(texts, [](const std::string& each) { return each.contains('\0'); });
}

/// The child's end of a pipe: blocking, as programs expect, and no standard stream of its own, which would be
/// overwritten before it is used.
result<pipe_end> child_end(pipe_end made) noexcept {
  pipe_end moved(::fcntl(made.native_handle(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved.is_open()) return detail::last_error();
  if (::fcntl(moved.native_handle(), F_SETFL, 0) != 0) return detail::last_error();
  return moved;
}

/// Connects the child's stream `as`. With a pipe, `ours` gets our end, and the child's end is returned.
template <class Ours>
result<pipe_end> connect(child_setup& setup, stdio how, int as, Ours& ours) {
  if (how == stdio::null) setup.connect_to_null(as);
  if (how != stdio::pipe) return pipe_end();
  auto made = make_pipe();
  if (!made) return std::unexpected(made.error());
  pipe_end theirs;
  if constexpr (std::is_same_v<Ours, pipe_writer>) {
    ours = std::move(made->second);
    theirs = std::move(made->first);
  } else {
    ours = std::move(made->first);
    theirs = std::move(made->second);
  }
  auto passed = child_end(std::move(theirs));
  if (passed) setup.connect(passed->native_handle(), as);
  return passed;
}

exit_status status_of(const siginfo_t& info) noexcept {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status};
  return {.signal = info.si_status};
}

/// Waits for the end of a killed process, so that the system forgets it.
task<> reap(pipe_end watched) {
  (void)co_await wait_readable(watched.native_handle());
  siginfo_t info{};
  (void)::waitid(P_PIDFD, static_cast<id_t>(watched.native_handle()), &info, WEXITED | WNOHANG);
}

task<> reap_even_if_cancelled(pipe_end watched) {
  auto reaping = reap(std::move(watched));
  co_await shield(std::move(reaping));
}

}  // namespace

result<process> process::start(const std::string& program, const process_options& options) {
  std::vector<std::string> words{program};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> variables = options.environment.value_or(std::vector<std::string>());
  if (has_null(words) || has_null(variables) || options.directory.contains('\0')) return failed_with(EINVAL);
  process made;
  child_setup setup;
  const auto input = connect(setup, options.input, STDIN_FILENO, made.input_);
  if (!input) return std::unexpected(input.error());
  const auto output = connect(setup, options.output, STDOUT_FILENO, made.output_);
  if (!output) return std::unexpected(output.error());
  const auto errors = connect(setup, options.errors, STDERR_FILENO, made.errors_);
  if (!errors) return std::unexpected(errors.error());
  setup.close_the_rest();
  setup.enter(options.directory);
  setup.reset_signals(options.own_group);
  if (setup.error() != 0) return failed_with(setup.error());
  const std::vector<char*> arguments = pointers_to(words);
  const std::vector<char*> environment = pointers_to(variables);
  pid_t id = -1;
  const int failed = ::posix_spawnp(&id, program.c_str(), setup.actions(), setup.attributes(), arguments.data(),
                                    options.environment ? environment.data() : environ);
  if (failed != 0) return failed_with(failed);
  made.id_ = id;
  made.leads_group_ = options.own_group;
  made.watched_ = pipe_end(open_pidfd(id));
  if (!made.watched_.is_open()) {
    const int error = errno;
    (void)::kill(id, SIGKILL);
    (void)::waitpid(id, nullptr, 0);
    made.has_ended_ = true;
    return failed_with(error);
  }
  return made;
}

process::process(process&& other) noexcept
    : id_(other.id_),
      watched_(std::move(other.watched_)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      leads_group_(other.leads_group_),
      has_ended_(std::exchange(other.has_ended_, true)),
      status_(other.status_) {}

process& process::operator=(process&& other) noexcept {
  process moved(std::move(other));
  std::swap(id_, moved.id_);
  std::swap(watched_, moved.watched_);
  std::swap(input_, moved.input_);
  std::swap(output_, moved.output_);
  std::swap(errors_, moved.errors_);
  std::swap(leads_group_, moved.leads_group_);
  std::swap(has_ended_, moved.has_ended_);
  std::swap(status_, moved.status_);
  return *this;
}

process::~process() { end(); }

void process::end() noexcept {
  if (has_ended_ || !watched_.is_open()) return;
  (void)signal(SIGKILL);
  has_ended_ = true;
  // A runtime that ends starts no task any more.
  if (tare::detail::current_shard != nullptr && !tare::detail::shard::current().runtime().stopping()) {
    try {
      spawn(reap_even_if_cancelled(std::move(watched_)));
      return;
      // NOLINTNEXTLINE(bugprone-empty-catch): then it waits here
    } catch (const std::bad_alloc&) {
    }
  }
  while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

pid_t process::release() noexcept {
  has_ended_ = true;
  watched_.close();
  return id_;
}

task<result<exit_status>> process::wait() {
  while (!has_ended_) {
    const auto ready = co_await wait_readable(watched_.native_handle());
    if (!ready) co_return std::unexpected(ready.error());
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(watched_.native_handle()), &info, WEXITED | WNOHANG) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      has_ended_ = error == ECHILD;
      co_return failed_with(error);
    }
    if (info.si_pid == 0) continue;  // a false alarm
    has_ended_ = true;
    status_ = status_of(info);
  }
  co_return status_;
}

result<void> process::signal(int number) noexcept {
  if (has_ended_ || !watched_.is_open()) return failed_with(ESRCH);
  // Until its end has been waited for, no other process or group can have its number.
  const int failed = leads_group_ ? ::kill(-id_, number) : send_signal(watched_.native_handle(), number);
  if (failed != 0) return detail::last_error();
  return {};
}

task<result<exit_status>> process::stop(std::chrono::nanoseconds grace) {
  input_.close();
  (void)signal(SIGTERM);
  auto in_time = co_await timeout(grace, wait());
  if (in_time) co_return std::move(*in_time);
  (void)signal(SIGKILL);
  co_return co_await wait();
}

namespace {

task<result<void>> read_all(pipe_reader& from, std::string& out, std::size_t max_bytes) {
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto got = co_await from.read(buffer);
    if (!got) co_return std::unexpected(got.error());
    if (*got == 0) co_return result<void>();
    if (*got > max_bytes - out.size()) co_return failed_with(EFBIG);
    out.append(reinterpret_cast<const char*>(buffer.data()), *got);
  }
}

/// What ended badly first ends the rest.
task<> keep_failed_with(task<result<void>> step, result<void>& kept, scope& others) {
  const result<void> ended = co_await std::move(step);
  if (ended) co_return;
  if (kept) kept = ended;
  others.cancel();
}

task<> write_all(pipe_writer& to, std::string_view text) {
  (void)co_await to.write(std::as_bytes(std::span(text)));
  to.close();
}

}  // namespace

task<result<process_output>> run_process(std::string program, process_options options, std::string input,
                                         std::size_t max_bytes) {
  options.input = input.empty() ? stdio::null : stdio::pipe;
  options.output = stdio::pipe;
  options.errors = stdio::pipe;
  auto child = process::start(program, options);
  if (!child) co_return std::unexpected(child.error());
  process_output all;
  result<void> kept;
  auto talk = [&](scope& in) -> task<> {
    if (child->input().is_open()) in.spawn(write_all(child->input(), input));
    in.spawn(keep_failed_with(read_all(child->output(), all.output, max_bytes), kept, in));
    in.spawn(keep_failed_with(read_all(child->errors(), all.errors, max_bytes), kept, in));
    co_return;
  };
  co_await with_scope(talk);
  if (!kept) co_return std::unexpected(kept.error());
  const auto status = co_await child->wait();
  if (!status) co_return std::unexpected(status.error());
  all.status = *status;
  co_return all;
}

}  // namespace tare::net
