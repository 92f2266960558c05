#pragma once

// What a shard knows of the outside world: an interface, null until something first waits for a descriptor
// (src/io/reactor.hpp implements it). A runtime without I/O pays nothing for it.
//
// A task that waits for a descriptor is of kind `io`; `prev` is the driver's own link to what it waits for. When the
// descriptor is ready the driver queues the task as `ready_io`, and the shard calls `complete` when the task's turn has
// come: that is where bytes are read, so that only one task at a time needs a buffer, and the cache is warm.

#include <tare/detail/wait_state.hpp>

#include <chrono>
#include <optional>

namespace tare::detail {

/// All calls come from the shard's thread, except `wake`.
class driver {
 public:
  driver() = default;
  virtual ~driver() = default;
  driver(const driver&) = delete;
  driver& operator=(const driver&) = delete;

  /// Queues the tasks whose descriptors are ready, without waiting for any.
  virtual void poll() noexcept = 0;
  /// Likewise, after waiting for one, for `wake`, or for `longest`; nullopt: without a limit.
  virtual void wait(std::optional<std::chrono::nanoseconds> longest) noexcept = 0;
  /// From any thread: makes `wait` return, or the next one if none is under way.
  virtual void wake() noexcept = 0;

  /// Gives back the memory that it keeps for later.
  virtual void trim() noexcept = 0;
  [[nodiscard]] virtual bool is_trimmed() const noexcept = 0;

  /// Does what `task`, which is of kind ready_io, waited to be possible. False if it was not possible after all; then
  /// the task waits on.
  [[nodiscard]] virtual bool complete(wait_state& task) noexcept = 0;
  /// For a task of kind ready_failed: what it awaited has this error.
  virtual void fail_call(int error) noexcept = 0;
  /// Ends the wait of a task of kind `io` because it is being cancelled: queues it as ready_cancelled.
  virtual void give_up(wait_state& task) noexcept = 0;
  /// True if a task waits for a descriptor.
  [[nodiscard]] virtual bool is_awaited() noexcept = 0;
  /// Calls `visit` for each task of kind `io`; it may end that task's wait.
  virtual void for_each_waiting(void (*visit)(wait_state& task)) noexcept = 0;
};

}  // namespace tare::detail
