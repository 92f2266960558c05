#pragma once

// The runtime: one shard per thread, each with its own run queue, timers and frames.
//
//   int main() {
//     tare::runtime rt({.shards = 2});
//     rt.run(serve());
//   }
//
// The thread that calls `run` is shard 0 until `run` returns; every other shard has its own thread. A runtime with one
// shard starts no thread. With `runtime_options::background`, shard 0 has its own thread too: its tasks, and the locks
// they hold, make progress even when no `run` is in progress, and `run` only submits a task and waits for it.

#include <tare/detail/kept_callable.hpp>
#include <tare/memory_budget.hpp>
#include <tare/shard_id.hpp>
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
#include <string>
#include <type_traits>
#include <utility>

namespace tare {

class shard_watch;

enum class clock_kind : std::uint8_t {
  real,
  /// Stands still while any task runs, and jumps to the next deadline when all tasks sleep. If no deadline remains, no
  /// task waits for a descriptor, and the only threads of the process are the runtime's and those waiting in its `run`,
  /// no task can ever wake: the program aborts with a message and a list of the tasks. If a descriptor or another
  /// thread may still wake a task, that message is printed once, after 5 seconds, as a warning.
  virtual_time,
};

/// How the shards wait for descriptors (tare::net).
enum class io_kind : std::uint8_t {
  epoll,     ///< works everywhere and is the cheapest
  io_uring,  ///< if the kernel supports and permits it; otherwise creating a socket fails
};

struct runtime_options {
  unsigned shards = 1;  ///< 0: one per processor available to the process (affinity and cgroup quota)
  clock_kind clock = clock_kind::real;
  io_kind io = io_kind::epoll;
  std::size_t frame_limit = SIZE_MAX;   ///< bytes of frame memory that the shards may hold, in steps of 64 KiB
  std::size_t memory_limit = SIZE_MAX;  ///< memory of the process in bytes, for `memory_budget`
  unsigned blocking_threads = 64;       ///< maximum number of threads that `offload` uses
  bool background = false;              ///< shard 0 has its own thread and also runs between calls of `run`
  /// Binds each thread that the runtime starts for a shard to one processor, in turn, of those it may use.
  bool pin = false;
  /// These threads are called NAME/NUMBER in debuggers and in `top -H`; of the name, at most 11 characters are used.
  std::string thread_name = "tare";
  /// Called on each of these threads before its first task and after its last one. Must not throw.
  std::function<void(shard_id)> on_thread_start = {};
  std::function<void(shard_id)> on_thread_stop = {};
  /// Called with the exception of a detached task, on the task's shard. If empty, the program aborts with a message.
  std::function<void(std::exception_ptr)> unhandled = {};
};

namespace detail {

class runtime_core;

/// Throws std::logic_error if the calling thread runs a task.
void refuse_run_in_task();

/// What a thread outside the shards waits on.
class completion {
 public:
  virtual void complete() noexcept = 0;

 protected:
  ~completion() = default;
};

template <class T>
struct outcome {
  /// A pointer for a reference.
  using stored = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;
  std::conditional_t<std::is_void_v<T>, bool, std::optional<std::conditional_t<std::is_void_v<T>, int, stored>>>
      value{};
  std::exception_ptr error;
};

template <class T>
task<> keep_outcome(task<T> body, outcome<T>& kept, completion& done) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(body);
    } else if constexpr (std::is_reference_v<T>) {
      T referred = co_await std::move(body);
      kept.value.emplace(&referred);
    } else {
      kept.value.emplace(co_await std::move(body));
    }
  } catch (...) {
    kept.error = std::current_exception();
  }
  done.complete();
}

}  // namespace detail

/// **Threads** Any, but it must not be destroyed while in use. **Cancellation** No function
/// is awaited; `shutdown` and the destructor cancel the tasks.
class runtime {
 public:
  /// Throws std::bad_alloc, and std::system_error if a thread cannot be started.
  explicit runtime(runtime_options options = {});

  /// Does nothing in a child process that was forked after the runtime was made. It must not be called by a task of the
  /// runtime, nor while `run` is in progress (as std::exit does for a static runtime): the program aborts with a
  /// message.
  ///
  /// Cancels the remaining tasks, waits for them, and ends the threads. A task that never reaches an await, or ignores
  /// cancellation forever, blocks it.
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Runs `body` on shard 0 to completion and returns its result or throws its error. Meanwhile the calling thread runs
  /// shard 0, unless another thread already does. Outside `run`, the tasks of shard 0 make no progress: a lock that one
  /// of them holds is not released, and a snapshot waits. `runtime_options::background` avoids that. Throws
  /// std::logic_error if called from a task.
  template <class T>
  T run(task<T> body) {
    if (!body) detail::empty_task("run");
    detail::outcome<T> kept;
    drive([&](detail::completion& done) { return detail::keep_outcome<T>(std::move(body), kept, done); });
    if (kept.error) std::rethrow_exception(kept.error);
    // NOLINTBEGIN(bugprone-unchecked-optional-access): without an error there is a value
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(**kept.value);
    } else if constexpr (!std::is_void_v<T>) {
      return std::move(*kept.value);
    }  // NOLINTEND(bugprone-unchecked-optional-access)
  }

  /// The same for a callable without parameters that returns a task, such as a lambda with captures.
  template <detail::makes_task F>
  auto run(F make) -> detail::task_value_t<std::invoke_result_t<F&>> {
    return run(std::invoke(make));
  }

  /// For a program with a loop of its own, such as a game or a user interface: runs what is due on shard 0, for at most
  /// `max_time` and a few tasks, and returns without waiting. Returns true if more is due.
  ///
  /// **Errors** Throws std::logic_error if called from a task, or if the runtime has virtual time or `background`. Does
  /// nothing if another thread runs shard 0. **Threads** Any that runs no task; between the calls, shard 0 stands still
  /// as between calls of `run`.
  bool poll(std::chrono::nanoseconds max_time);

  /// A descriptor that is readable when `poll` has something to do: a task that can run, an expired timer, a ready
  /// socket, work from another shard. Watch it for reading in your own loop, and call `poll` when it is readable. It
  /// belongs to the runtime: do not read or close it. The first call makes it; from then on, `poll` costs three or four
  /// system calls more.
  ///
  ///   tare::runtime rt;
  ///   pollfd ready{.fd = rt.poll_descriptor(), .events = POLLIN};
  ///   while (running) {
  ///     ::poll(&ready, 1, -1);                                          // or epoll, GLib, Qt, libuv
  ///     (void)rt.poll(5ms);
  ///   }
  ///
  /// **Errors** As `poll`; throws std::logic_error if another thread runs shard 0 at the first call, and
  /// std::system_error if the system has no descriptors left. **Threads** The thread that calls `poll`.
  [[nodiscard]] int poll_descriptor();

  /// Cancels all tasks and waits for their end, for at most `max_time` of the runtime's clock (of the real clock, if
  /// another thread runs shard 0). Returns true if all have ended; if not, call it again, print `tare::snapshot()`, or
  /// end the program with std::quick_exit, because the destructor waits without a limit. From then on `run` throws
  /// std::logic_error, and tasks given to `spawn_on` are destroyed without having run.
  ///
  /// **Errors** Throws std::logic_error if called from a task.
  /// **Threads** Any that runs no task.
  [[nodiscard]] bool shutdown(std::chrono::nanoseconds max_time);

  /// Starts a detached task on a shard, from any thread.
  void spawn_on(shard_id shard, task<> detached);
  /// The same for a callable, which is kept until its task has ended (`tare::spawn`).
  template <detail::makes_task F>
  void spawn_on(shard_id shard, F make) {
    spawn_on(shard, detail::keep_and_call(std::move(make)));
  }

  [[nodiscard]] unsigned shards() const noexcept;

  /// Number of detached tasks that have not ended, including those of `run`.
  [[nodiscard]] std::size_t detached_tasks() const noexcept;

  /// Bytes of frame memory held by the shards.
  [[nodiscard]] std::size_t frame_bytes() const noexcept;

  /// The budget that admission checks.
  [[nodiscard]] memory_budget& memory() noexcept;

 private:
  friend class shard_watch;
  void drive(const std::function<task<>(detail::completion&)>& make);

  std::unique_ptr<detail::runtime_core> core_;
};

/// Runs `body` in a runtime of one shard, on the calling thread. Throws std::logic_error if called from a task.
template <class T>
T run(task<T> body) {
  detail::refuse_run_in_task();  // before a runtime exists
  runtime rt;
  return rt.run(std::move(body));
}

/// The same for a callable without parameters that returns a task, such as a lambda with captures.
template <detail::makes_task F>
auto run(F make) -> detail::task_value_t<std::invoke_result_t<F&>> {
  return run(std::invoke(make));
}

/// Starts a detached task on the current shard. Nothing waits for it; an exception goes to the runtime's `unhandled`.
/// It weighs its frame and nothing else.
void spawn(task<> detached) noexcept;

/// The same for a callable without parameters that returns a task, such as a lambda with captures: it is called when
/// the task begins, and kept until the task has ended. Throws std::bad_alloc. **Bytes** A frame with the callable, and
/// that of the task.
template <detail::makes_task F>
void spawn(F make) {
  spawn(detail::keep_and_call(std::move(make)));
}

/// Starts a detached task on another shard of the current runtime. Throws std::out_of_range.
void spawn_on(shard_id shard, task<> detached);
/// The same for a callable, which is kept until its task has ended (see `spawn`).
template <detail::makes_task F>
void spawn_on(shard_id shard, F make) {
  spawn_on(shard, detail::keep_and_call(std::move(make)));
}

/// Starts a detached task on the less loaded of two randomly chosen shards (Mitzenmacher, "The Power of Two Choices in
/// Randomized Load Balancing", 2001).
void spawn_balanced(task<> detached);
/// The same for a callable, which is kept until its task has ended (see `spawn`).
template <detail::makes_task F>
void spawn_balanced(F make) {
  spawn_balanced(detail::keep_and_call(std::move(make)));
}

/// The shard that is running the calling task.
[[nodiscard]] shard_id this_shard() noexcept;

}  // namespace tare
