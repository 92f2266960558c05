#pragma once

// Mutual exclusion between tasks, also of different shards, across awaits.
//
//   auto guard = co_await m.lock();
//
// Between tasks of one shard that do not await in between, none is needed: only one of them runs at a time.
// Fair: first come, first served. Bytes as for `semaphore`.

#include <tare/semaphore.hpp>

namespace tare {

/// Must outlive its guards and waiters.
class mutex {
 public:
  using guard = semaphore_permit;

  mutex() noexcept : free_(1) {}

  /// Waits for the lock; the guard that it gives unlocks when it goes, on whichever thread.
  [[nodiscard]] auto lock() noexcept { return free_.acquire(1); }
  /// An empty guard if somebody has the lock.
  [[nodiscard]] guard try_lock() noexcept { return free_.try_acquire(1); }

 private:
  semaphore free_;
};

}  // namespace tare
