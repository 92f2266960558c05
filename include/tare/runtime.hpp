#pragma once

// The runtime: one shard a thread, each with its own run queue, timers and frames.
//
//   int main() {
//     tare::runtime rt({.shards = 2});
//     rt.run(serve());
//   }
//
// The thread that calls `run` is shard 0 until `run` returns; the other shards have threads of their own. A runtime
// with one shard starts no thread. With `runtime_options::background`, shard 0 has a thread of its own as well: its
// tasks go on when no `run` is under way, with the locks that they hold, and `run` only submits a task and waits for
// it.

#include <tare/memory_budget.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace tare {

/// Number of a shard in its runtime, from 0.
using shard_id = unsigned;

enum class clock_kind : std::uint8_t {
  real,
  /// Stands still while anything runs, and jumps to the next deadline when everything sleeps. If there is none, no task
  /// waits for a descriptor, and the process has no thread but the runtime's and those that wait in its `run`, nothing
  /// can ever happen: the program ends with a message and a list of the tasks. If a descriptor or another thread may
  /// yet wake a task, that message comes once, after 5 seconds, as a warning.
  virtual_time,
};

/// How the shards wait for descriptors (tare::net).
enum class io_kind : std::uint8_t {
  epoll,     ///< works everywhere, and costs least
  io_uring,  ///< where the kernel has it and allows it; otherwise what makes a socket gives the error
};

struct runtime_options {
  unsigned shards = 1;  ///< 0: one for each processor that the process may use, by its affinity and its cgroup's quota
  clock_kind clock = clock_kind::real;
  io_kind io = io_kind::epoll;
  std::size_t frame_limit = SIZE_MAX;   ///< bytes that the shards may hold for frames, in steps of 64 KiB
  std::size_t memory_limit = SIZE_MAX;  ///< bytes of the process, for `memory_budget`
  unsigned blocking_threads = 64;       ///< most threads that `offload` uses at a time
  bool background = false;              ///< shard 0 has a thread of its own, and does not rest between two `run`s
  /// Called with what a detached task has thrown, on its shard. Without one, the program ends with a message.
  std::function<void(std::exception_ptr)> unhandled = {};
};

namespace detail {

class runtime_core;

/// Throws std::logic_error if the calling thread runs a task.
void refuse_run_in_task();

/// What a thread outside of the shards waits on.
class completion {
 public:
  virtual void complete() noexcept = 0;

 protected:
  ~completion() = default;
};

template <class T>
struct outcome {
  std::conditional_t<std::is_void_v<T>, bool, std::optional<std::conditional_t<std::is_void_v<T>, int, T>>> value{};
  std::exception_ptr error;
};

template <class T>
task<> keep_outcome(task<T> body, outcome<T>& kept, completion& done) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(body);
    } else {
      kept.value.emplace(co_await std::move(body));
    }
  } catch (...) {
    kept.error = std::current_exception();
  }
  done.complete();
}

}  // namespace detail

/// Thread-safe, except that it must not be destroyed while in use.
class runtime {
 public:
  /// Throws std::bad_alloc, std::system_error if a thread cannot be started.
  explicit runtime(runtime_options options = {});

  /// In a child process that was forked after the runtime was made, it does nothing. It must not be called by a task of
  /// the runtime, nor while `run` is under way, as std::exit does for a static runtime: the program is ended with a
  /// message.
  ///
  /// Cancels what is still running, waits for it, and ends the threads. A task that never comes to an await, or
  /// ignores cancellation for ever, keeps it waiting.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs `body` on shard 0 to its end and returns its result or throws its error. The calling thread does the work of
  /// shard 0 meanwhile, unless another one is at it already. Other tasks of shard 0 rest while nobody is: a lock that
  /// one of them holds is not released, and a snapshot waits. With `runtime_options::background` they do not rest.
  /// Throws std::logic_error if called from a task.
  template <class T>
  T run(task<T> body) {
    if (!body) detail::empty_task("run");
    detail::outcome<T> kept;
    drive([&](detail::completion& done) { return detail::keep_outcome<T>(std::move(body), kept, done); });
    if (kept.error) std::rethrow_exception(kept.error);
    // NOLINTNEXTLINE(bugprone-unchecked-optional-access): without an error there is a value
    if constexpr (!std::is_void_v<T>) return std::move(*kept.value);
  }

  /// Starts a detached task on a shard, from any thread.
  void spawn_on(shard_id shard, task<> detached);

  [[nodiscard]] unsigned shards() const noexcept;

  /// Detached tasks that have not ended, `run`'s included.
  [[nodiscard]] std::size_t detached_tasks() const noexcept;

  /// Bytes of frame memory that the shards hold.
  [[nodiscard]] std::size_t frame_bytes() const noexcept;

  /// What admission asks.
  [[nodiscard]] memory_budget& memory() noexcept;

 private:
  void drive(const std::function<task<>(detail::completion&)>& make);

  std::unique_ptr<detail::runtime_core> core_;
};

/// Runs `body` in a runtime of one shard, in the calling thread. Throws std::logic_error if called from a task.
template <class T>
T run(task<T> body) {
  detail::refuse_run_in_task();  // before there is a runtime
  runtime rt;
  return rt.run(std::move(body));
}

/// Starts a detached task on the current shard: nobody waits for it; what it throws goes to the runtime's `unhandled`.
/// Weighs its frame and nothing else.
void spawn(task<> detached) noexcept;

/// Starts a detached task on another shard of the current runtime. Throws std::out_of_range.
void spawn_on(shard_id shard, task<> detached);

/// Starts a detached task on the less busy of two shards drawn at random (Mitzenmacher, "The Power of Two Choices in
/// Randomized Load Balancing", 2001).
void spawn_balanced(task<> detached);

/// The shard that runs the calling task.
[[nodiscard]] shard_id this_shard() noexcept;

}  // namespace tare
