#pragma once

// What can go wrong in an await, besides what the awaited task itself throws.

#include <exception>
#include <vector>

namespace tare {

/// Thrown out of an await that was given up because the task is being cancelled. From then on every later suspension
/// of the task throws it again, except inside `shield`. Let it pass: a scope, `timeout` or `when_any` that asked for
/// the cancellation takes it for the answer, not for an error.
///
/// Not a std::exception, so that `catch (const std::exception&)`, which logs an error and goes on, lets it pass. Only
/// `catch (const tare::cancelled&)` and `catch (...)` stop it: they have to throw it again or end the task. A task that
/// catches it for ever uses processor time, and whoever awaits the task's end waits for ever; other tasks of the shard
/// still get their turns.
class cancelled final {
 public:
  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): called as that of an exception
  [[nodiscard]] const char* what() const noexcept { return "the task was cancelled"; }
};

namespace detail {

/// Whether it is a `cancelled`; false if it is none at all.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error) noexcept;

}  // namespace detail

/// What `timeout` returns when the time was up first.
struct timed_out {
  friend bool operator==(timed_out, timed_out) = default;
};

/// What a send to a closed channel, or a receive from a closed and empty one, returns; and a receive from a oneshot
/// whose sender has gone.
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
