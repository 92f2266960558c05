#pragma once

// Many readers or one writer, across awaits, on the same or different shards.
//
//   auto reading = co_await table.lock_shared();    // together with other readers
//   auto writing = co_await table.lock();           // alone
//   table.downgrade(writing);                       // now a reader, without a gap in which others could write
//
// Fair: first come, first served, so a stream of readers does not starve a writer. Therefore a task that already reads
// must not ask to read again: a writer that came in between would wait for the first, and the second for the writer.
//
// Bytes as for `semaphore`: 24, 72 in a waiting frame, a guard 16.

#include <tare/detail/misuse.hpp>
#include <tare/semaphore.hpp>

#include <chrono>
#include <cstddef>

namespace tare {

/// Must outlive its guards and waiters: the destructor aborts the program if a task waits.
class shared_mutex {
 public:
  using guard = semaphore_permit;
  using shared_guard = semaphore_permit;

  shared_mutex() noexcept : free_(all) {}

  /// Waits until neither readers nor a writer hold it. Returns a guard that unlocks when destroyed, on any thread.
  ///
  /// **Errors** None. **Cancellation** A cancelled wait has not locked, and readers behind it continue. **Threads** Any
  /// shard. **Bytes** 72 in the frame.
  auto lock() noexcept { return free_.acquire(all); }
  /// Waits until no writer holds it, nor waits before this task.
  ///
  /// **Errors**, **Cancellation**, **Threads**, **Bytes** As for `lock`.
  auto lock_shared() noexcept { return free_.acquire(1); }

  /// An empty guard if it is held, or if other tasks wait. Any thread.
  guard try_lock() noexcept { return free_.try_acquire(all); }
  [[nodiscard]] shared_guard try_lock_shared() noexcept { return free_.try_acquire(1); }

  /// The same as `lock` and `lock_shared`, for at most `time`; then the guard is empty. **Bytes** 112 in the frame.
  template <class Rep, class Period>
  auto try_lock_for(std::chrono::duration<Rep, Period> time) noexcept {
    return free_.try_acquire_for(time, all);
  }
  template <class Rep, class Period>
  auto try_lock_shared_for(std::chrono::duration<Rep, Period> time) noexcept {
    return free_.try_acquire_for(time, 1);
  }

  /// Turns a guard of `lock` into one of `lock_shared`. **Threads** Any. **Errors** Aborts the program if the guard is
  /// empty.
  static void downgrade(guard& writing) noexcept {
    if (!writing) detail::misuse("shared_mutex::downgrade: the guard is empty: lock the shared_mutex first");
    writing = writing.split(1);
  }

 private:
  static constexpr std::size_t all = std::size_t{1} << 30U;

  semaphore free_;
};

}  // namespace tare
