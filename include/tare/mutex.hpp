#pragma once

// Mutual exclusion between tasks across awaits, on the same or different shards.
//
//   auto guard = co_await m.lock();
//
// Tasks of one shard that do not await while they use the data need no mutex, because only one of them runs at a time.
// Fair: first come, first served. Bytes as for `semaphore`.

#include <tare/semaphore.hpp>

#include <chrono>

namespace tare {

/// Must outlive its guards and waiters: the destructor aborts the program if a task waits.
class mutex {
 public:
  using guard = semaphore_permit;

  mutex() noexcept : free_(1) {}

  /// Waits for the lock and returns a guard that unlocks when destroyed, on any thread.
  auto lock() noexcept { return free_.acquire(1); }
  /// An empty guard if the mutex is locked.
  guard try_lock() noexcept { return free_.try_acquire(1); }
  /// Waits for the lock for at most `time`; then returns an empty guard.
  ///
  /// **Errors** None. **Cancellation** A cancelled wait has not locked. **Threads** Any shard. **Bytes** 112 in the
  /// frame.
  template <class Rep, class Period>
  auto try_lock_for(std::chrono::duration<Rep, Period> time) noexcept {
    return free_.try_acquire_for(time, 1);
  }

 private:
  semaphore free_;
};

}  // namespace tare
