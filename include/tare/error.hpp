#pragma once

// Errors of awaits, apart from exceptions that the awaited task itself throws.

#include <exception>
#include <vector>

namespace tare {

/// Thrown by an await that ended early because the task is being cancelled. Every later suspension of the task throws
/// it again, except inside `shield`. Let it propagate: the scope, `timeout` or `when_any` that requested the
/// cancellation treats it as confirmation, not as an error.
///
/// Not a std::exception, so that a `catch (const std::exception&)` that logs an error and continues does not swallow
/// it. Only `catch (const tare::cancelled&)` and `catch (...)` catch it; they must rethrow it or end the task. A task
/// that catches it forever uses processor time, and its awaiter waits forever; other tasks of the shard still run.
class cancelled final {
 public:
  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): called like std::exception::what
  [[nodiscard]] const char* what() const noexcept { return "the task was cancelled"; }
};

namespace detail {

/// Whether it holds a `cancelled`; false if it is null.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error) noexcept;

}  // namespace detail

/// Returned by `timeout` when the time limit expired first.
struct timed_out {
  friend bool operator==(timed_out, timed_out) = default;
};

/// Returned by a send to a closed channel, by a receive from a closed and empty channel, and by a receive from a
/// oneshot whose sender is gone.
struct closed {
  friend bool operator==(closed, closed) = default;
};

/// Thrown by the join of a scope that collects all errors, if there were any.
class error_group final : public std::exception {
 public:
  explicit error_group(std::vector<std::exception_ptr> errors) noexcept : errors_(std::move(errors)) {}
  [[nodiscard]] const char* what() const noexcept override { return "tasks of a scope ended by exceptions"; }
  [[nodiscard]] const std::vector<std::exception_ptr>& errors() const noexcept { return errors_; }

 private:
  std::vector<std::exception_ptr> errors_;
};

}  // namespace tare
