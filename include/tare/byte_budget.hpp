#pragma once

// A semaphore that counts bytes: limits how much memory concurrently admitted work may use.
//
//   tare::byte_budget budget(64 << 20);
//   auto share = co_await budget.acquire(request.size() + response_bytes);
//
// Fair, so a large request waits its turn but does not starve.
//
// **Bytes** As `semaphore`, plus 8.

#include <tare/semaphore.hpp>

#include <cstddef>
#include <stdexcept>

namespace tare {

/// Must outlive its shares and waiters: the destructor aborts the program if a task waits.
class byte_budget {
 public:
  using share = semaphore_permit;

  explicit byte_budget(std::size_t bytes) noexcept : free_(bytes), total_(bytes) {}

  /// Waits until `bytes` are free.
  ///
  /// **Errors** Throws std::length_error if that exceeds the total, because the wait would never end. **Cancellation**
  /// A cancelled acquire has taken nothing. **Threads** Any shard.
  auto acquire(std::size_t bytes) {
    if (bytes > total_) throw std::length_error("tare::byte_budget: the request exceeds the whole budget");
    return free_.acquire(bytes);
  }
  /// An empty share if `bytes` are not free, or if other tasks wait.
  share try_acquire(std::size_t bytes) noexcept { return free_.try_acquire(bytes); }

  [[nodiscard]] std::size_t total() const noexcept { return total_; }
  [[nodiscard]] std::size_t available() const noexcept { return free_.available(); }

 private:
  semaphore free_;
  std::size_t total_;
};

}  // namespace tare
