#pragma once

// A scope in which a limited number of tasks run at once: `spawn` waits for its turn.
//
//   tare::limited_scope s(32);
//   while (auto job = co_await jobs.receive()) co_await s.spawn(work(std::move(*job)));   // waits while 32 run
//   co_await s.join();
//
// Join it on every path, as a scope: an exception in the loop above, also `cancelled`, must be caught before the join.
//
// For the elements of a range, see `map`. For a limit that several scopes share, see `semaphore`.
//
// **Bytes** A scope and 32. Each task has one frame more, which holds its turn; a waiting `spawn` is a frame.

#include <tare/scope.hpp>
#include <tare/semaphore.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <exception>
#include <stdexcept>
#include <utility>

namespace tare {

/// Make it a local variable of a coroutine, or a member of one. Use it on the shard that made it, except for `cancel`.
class limited_scope {
 public:
  /// **Errors** Throws std::invalid_argument if `limit` is 0.
  explicit limited_scope(std::size_t limit, on_error policy = on_error::cancel_siblings)
      : turns_(limit), tasks_(policy) {
    if (limit == 0) throw std::invalid_argument("tare::limited_scope: with a limit of 0 nothing would ever run");
  }
  limited_scope(const limited_scope&) = delete;
  limited_scope& operator=(const limited_scope&) = delete;
  /// No task may remain, as for `scope`.
  ~limited_scope() = default;

  /// Waits until fewer tasks than the limit run, and then spawns the task as `scope::spawn` does. Calls that wait are
  /// served in their order. A task of the scope that awaits this may wait for itself.
  ///
  /// **Errors** Throws std::bad_alloc, and destroys the task. An error of another task does not end the wait, but with
  /// on_error::cancel_siblings the task is then cancelled from the start. Aborts the program if the task is empty.
  /// **Cancellation** Destroys the task, which has not run. **Threads** The shard of the scope. **Bytes** A frame while
  /// it waits, and one beside that of the task until the task has ended.
  template <class T>
  [[nodiscard("the task is spawned when this is awaited")]] TARE_COROUTINE_WRAPPER task<> spawn(task<T> spawned) {
    if (!spawned) detail::empty_task("limited_scope::spawn");
    return enter(*this, std::move(spawned));
  }

  /// The same for a callable without parameters that returns a task: it is called when the task begins, and kept until
  /// the task has ended.
  template <detail::makes_task F>
  [[nodiscard("the task is spawned when this is awaited")]] TARE_COROUTINE_WRAPPER task<> spawn(F make) {
    return spawn(detail::keep_and_call(std::move(make)));
  }

  /// Spawns the task if fewer than the limit run and no `spawn` waits. Otherwise returns false, and the task is
  /// unchanged.
  ///
  /// **Errors** Throws std::bad_alloc, and destroys the task. Aborts the program if the task is empty. **Threads** The
  /// shard of the scope.
  template <class T>
  [[nodiscard]] bool try_spawn(task<T>& spawned) {
    if (!spawned) detail::empty_task("limited_scope::try_spawn");
    semaphore_permit turn = turns_.try_acquire();
    if (!turn) return false;
    tasks_.spawn(run(std::move(turn), std::move(spawned)));
    return true;
  }

  /// As `scope::cancel`. A `spawn` that waits is not one of the tasks: it spawns in its turn, and the task is cancelled
  /// from the start. **Threads** Any, while the scope exists.
  void cancel() noexcept { tasks_.cancel(); }
  /// As `scope::fail`.
  void fail(std::exception_ptr error) noexcept { tasks_.fail(std::move(error)); }
  /// Number of tasks that have not ended, without those that wait in `spawn`. **Threads** The shard of the scope.
  [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
  /// As `scope::join`: waits for the tasks that have been spawned.
  scope::join_request join() noexcept { return tasks_.join(); }

 private:
  template <class T>
  static task<> enter(limited_scope& in, task<T> spawned) {
    semaphore_permit turn = co_await in.turns_.acquire();
    in.tasks_.spawn(run(std::move(turn), std::move(spawned)));
  }
  /// The turn ends with the frame.
  template <class T>
  static task<> run(semaphore_permit /*turn*/, task<T> body) {
    (void)co_await std::move(body);
  }
  static task<> run(semaphore_permit /*turn*/, task<> body) { co_await std::move(body); }

  semaphore turns_;
  scope tasks_;
};

}  // namespace tare
