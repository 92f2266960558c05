#include "inspect/memory/pause.hpp"

#include "inspect/memory/process_memory.hpp"

#include <fmt/format.h>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace tare::inspect {
namespace {

using clock = std::chrono::steady_clock;

struct stopped_thread {
  pid_t number = 0;
  int signal = 0;  ///< that was about to be delivered, and is when the thread continues; 0: none
};

enum class stopping : std::uint8_t { stopped, ended, timed_out };

/// A thread inside the kernel may take long to stop, so this only polls.
stopping wait_for_stop(stopped_thread& thread, clock::time_point deadline) {
  constexpr auto between = std::chrono::microseconds(20);
  for (;;) {
    int status = 0;
    const pid_t found = ::waitpid(thread.number, &status, __WALL | WNOHANG);
    if (found < 0 && errno != EINTR) return stopping::ended;
    if (found > 0) {
      if (!WIFSTOPPED(status)) return stopping::ended;
      const bool asked_for = status >> 16U == PTRACE_EVENT_STOP;
      thread.signal = asked_for ? 0 : WSTOPSIG(status);
      return stopping::stopped;
    }
    if (clock::now() >= deadline) return stopping::timed_out;
    std::this_thread::sleep_for(between);
  }
}

base::error why_not_stopped(pid_t pid, int why) {
  const std::string what = fmt::format("cannot stop process {}", pid);
  if (why != EPERM) return base::system_error(what, why).error();
  return {base::fault::system, what +
                                   ": a debugger is at it, or it takes the capability "
                                   "CAP_SYS_PTRACE; without --pause it is read as it runs"};
}

}  // namespace

/// The kernel lets only the thread that stopped a process continue it, so one thread does both.
class pause::tracer {
 public:
  tracer(pid_t pid, std::chrono::nanoseconds max_time) : pid_(pid), max_time_(max_time), thread_([this] { run(); }) {}
  tracer(const tracer&) = delete;
  tracer& operator=(const tracer&) = delete;
  ~tracer() {
    (void)end();
    thread_.join();
  }

  /// Waits until the process has been stopped, or could not be.
  [[nodiscard]] std::optional<base::error> wait_until_stopped() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return state_ != state::stopping; });
    return problem_;
  }

  [[nodiscard]] outcome end() noexcept {
    std::unique_lock lock(mutex_);
    if (!asked_to_end_) asked_to_end_ = clock::now();
    changed_.notify_all();
    changed_.wait(lock, [this] { return state_ == state::over; });
    return outcome_;
  }

 private:
  enum class state : std::uint8_t { stopping, stopped, over };

  void run() {
    const auto began = clock::now();
    const auto deadline = began + max_time_;
    std::optional<base::error> problem = stop_all(deadline);
    if (!problem && threads_.empty() && clock::now() < deadline) {
      problem = base::error{base::fault::input, fmt::format("process {} does not exist", pid_)};
    }
    std::unique_lock lock(mutex_);
    problem_ = std::move(problem);
    if (!problem_) {
      state_ = state::stopped;
      changed_.notify_all();
      (void)changed_.wait_until(lock, deadline, [this] { return asked_to_end_.has_value(); });
      // It may be asked to end only after that, and before this thread runs again.
      outcome_.timed_out = !asked_to_end_ || *asked_to_end_ >= deadline;
    }
    // Those that have not stopped yet are released when this thread ends.
    for (const auto& thread : threads_) (void)::ptrace(PTRACE_DETACH, thread.number, nullptr, thread.signal);
    outcome_.lasted = clock::now() - began;
    state_ = state::over;
    changed_.notify_all();
  }

  /// Threads that are not stopped yet may start others, so this repeats until it finds no new thread.
  std::optional<base::error> stop_all(clock::time_point deadline) {
    for (bool found = true; found;) {
      found = false;
      for (const pid_t thread : threads_of(pid_)) {
        if (std::ranges::find(threads_, thread, &stopped_thread::number) != threads_.end()) continue;
        if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) {
          if (errno == ESRCH) continue;
          return why_not_stopped(pid_, errno);
        }
        stopped_thread stopped_thread{.number = thread};
        const bool interrupted = ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0;
        const auto what = interrupted ? wait_for_stop(stopped_thread, deadline) : stopping::ended;
        if (what == stopping::timed_out) return std::nullopt;
        if (what == stopping::ended) {
          (void)::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
          continue;
        }
        threads_.push_back(stopped_thread);
        found = true;
      }
    }
    return std::nullopt;
  }

  pid_t pid_;
  std::chrono::nanoseconds max_time_;
  std::vector<stopped_thread> threads_;  ///< used only by the thread itself
  std::mutex mutex_;
  std::condition_variable changed_;
  state state_ = state::stopping;
  std::optional<clock::time_point> asked_to_end_;
  std::optional<base::error> problem_;
  outcome outcome_{};
  std::thread thread_;
};

pause::pause(std::unique_ptr<tracer> running) : tracer_(std::move(running)) {}
pause::pause(pause&& other) noexcept = default;
pause::~pause() = default;

base::result<pause> pause::begin(pid_t pid, std::chrono::nanoseconds max_time) {
  auto running = std::make_unique<tracer>(pid, max_time);
  if (auto problem = running->wait_until_stopped()) return std::unexpected(std::move(*problem));
  return pause(std::move(running));
}

pause::outcome pause::end() noexcept {
  if (tracer_) {
    outcome_ = tracer_->end();
    tracer_.reset();
  }
  return outcome_;
}

}  // namespace tare::inspect
