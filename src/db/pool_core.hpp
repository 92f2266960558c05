#pragma once

// What a pool owns: its slots, for which tasks wait in order, and the idle sessions.

#include "db/backoff.hpp"
#include "db/session.hpp"

#include <tare/db/detail/lease.hpp>
#include <tare/db/pool.hpp>
#include <tare/semaphore.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace tare::db::detail {

class pool_core : public std::enable_shared_from_this<pool_core> {
 public:
  pool_core(std::unique_ptr<database> of, std::size_t connections, const pool_options& options);

  /// After taking a slot, call `take`.
  [[nodiscard]] semaphore& slots() noexcept { return slots_; }
  /// Lends a session, connected or not. Returns the slot if it throws.
  [[nodiscard]] lease take();
  /// Connects the session, unless the last attempts failed and the next one is not due.
  [[nodiscard]] task<result<void>> connect(session& lent);

  /// Takes back a session, which must be clean or closed, and its slot.
  void put_back(std::unique_ptr<session> returned) noexcept;

  /// Permanently: sessions are closed when they are returned.
  [[nodiscard]] std::vector<std::unique_ptr<session>> close() noexcept;

  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t lent() const noexcept { return capacity_ - slots_.available(); }

 private:
  std::unique_ptr<database> database_;
  std::size_t capacity_;
  semaphore slots_;
  backoff backoff_;
  std::chrono::milliseconds connect_limit_;
  std::mutex lock_;
  bool closed_ = false;
  std::vector<std::unique_ptr<session>> resting_;  ///< the last returned is the first lent
};

}  // namespace tare::db::detail
