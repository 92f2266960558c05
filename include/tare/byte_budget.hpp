#pragma once

// A semaphore counted in bytes: how much memory the work admitted at one time may take.
//
//   tare::byte_budget budget(64 << 20);
//   auto share = co_await budget.acquire(request.size() + response_bytes);
//
// Fair, so a large request waits its turn but is not starved. Bytes as for `semaphore`, and 8.

#include <tare/semaphore.hpp>

#include <cstddef>
#include <stdexcept>

namespace tare {

/// Must outlive its shares and waiters.
class byte_budget {
 public:
  using share = semaphore_permit;

  explicit byte_budget(std::size_t bytes) noexcept : free_(bytes), total_(bytes) {}

  /// Waits until so many bytes are free. Throws std::length_error for more than there are in all: they would never be.
  [[nodiscard]] auto acquire(std::size_t bytes) {
    if (bytes > total_) throw std::length_error("tare::byte_budget: more bytes asked for than the budget has in all");
    return free_.acquire(bytes);
  }
  /// An empty share if so many bytes are not free, or others wait.
  [[nodiscard]] share try_acquire(std::size_t bytes) noexcept { return free_.try_acquire(bytes); }

  [[nodiscard]] std::size_t total() const noexcept { return total_; }
  [[nodiscard]] std::size_t available() const noexcept { return free_.available(); }

 private:
  semaphore free_;
  std::size_t total_;
};

}  // namespace tare
