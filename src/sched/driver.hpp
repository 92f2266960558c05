#pragma once

// A shard's interface to the outside world; null until something first waits for a descriptor (src/io/reactor.hpp
// implements it). A runtime without I/O pays nothing for it.
//
// A task that waits for a descriptor is of kind `io`; `prev` is the driver's link to what it waits for. When the
// descriptor is ready, the driver queues the task as `ready_io`, and the shard calls `complete` when it is the task's
// turn. Bytes are read only then, so only one task at a time needs a buffer, and the cache is warm.

#include "sched/waker.hpp"

#include <tare/detail/wait_state.hpp>

#include <chrono>
#include <optional>

namespace tare::detail {

/// All calls except `wake` come from the shard's thread.
class driver : public waker {
 public:
  driver() = default;
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;
  ~driver() override = default;

  /// Queues the tasks whose descriptors are ready, without waiting.
  virtual void poll() noexcept = 0;
  /// The same, but first waits for a descriptor, for `wake`, or for at most `longest`; nullopt: no limit.
  virtual void wait(std::optional<std::chrono::nanoseconds> longest) noexcept = 0;
  /// Any thread: makes the current or the next `wait` return.
  void wake() noexcept override = 0;
  /// A descriptor that is readable when `poll` would find something, or after `wake`.
  [[nodiscard]] virtual int native_handle() const noexcept = 0;
  /// True if `poll` must be called again although the descriptor may not become readable.
  [[nodiscard]] virtual bool has_to_retry() const noexcept = 0;

  /// Returns the memory that it keeps for later use.
  virtual void trim() noexcept = 0;
  [[nodiscard]] virtual bool is_trimmed() const noexcept = 0;

  /// Makes the call that `task`, which is of kind ready_io, has waited for. False if it would still block; the task
  /// then continues to wait.
  [[nodiscard]] virtual bool complete(wait_state& task) noexcept = 0;
  /// For a task of kind ready_failed: sets the error of its await.
  virtual void fail_call(int error) noexcept = 0;
  /// Ends the wait of a task of kind `io` that is being cancelled: queues it as ready_cancelled.
  virtual void give_up(wait_state& task) noexcept = 0;
  /// True if a task waits for a descriptor.
  [[nodiscard]] virtual bool is_awaited() noexcept = 0;
  /// Calls `visit` for each task of kind `io`; it may end that task's wait.
  virtual void for_each_waiting(void (*visit)(wait_state& task)) noexcept = 0;
};

}  // namespace tare::detail
