#pragma once

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "measure/process/command.hpp"

#include <sys/types.h>

#include <chrono>

namespace tare::measure {

/// A running command, in its own process group. Destroying this object ends the command and everything it has started,
/// including daemons. The same happens if the caller is killed.
///
/// Its standard input is empty. The owner must keep reading output() and errors(), because otherwise the command blocks
/// when a pipe is full; both are non-blocking. supervisor.hpp explains how it is done.
class process {
 public:
  using clock = std::chrono::steady_clock;

  /// Returns once the command executes, with an error if it cannot.
  [[nodiscard]] static base::result<process> start(const command& what);

  process(process&&) noexcept = default;
  process& operator=(process&& other) noexcept;
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() { end(); }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// The parent of the command. Its other descendants are exactly the processes of the command.
  [[nodiscard]] pid_t supervisor() const noexcept { return supervisor_.pid; }
  /// Just before the command was executed.
  [[nodiscard]] clock::time_point started_at() const noexcept { return started_at_; }

  /// What the command writes to its standard output.
  [[nodiscard]] const base::file_descriptor& output() const noexcept { return output_; }
  /// What the command writes to its standard error.
  [[nodiscard]] const base::file_descriptor& errors() const noexcept { return errors_; }
  /// Becomes readable when the command has ended, and then contains its wait status, an int.
  [[nodiscard]] const base::file_descriptor& exit_report() const noexcept { return report_; }

  /// Kills what still runs, and returns when it has ended. May be repeated.
  void end() noexcept;

 private:
  /// A child process, waited for exactly once.
  struct child {
    explicit child(pid_t number) noexcept : pid(number) {}
    child(child&& other) noexcept : pid(std::exchange(other.pid, -1)) {}
    child& operator=(child&& other) noexcept {
      pid = std::exchange(other.pid, -1);
      return *this;
    }
    child(const child&) = delete;
    child& operator=(const child&) = delete;
    ~child() = default;
    pid_t pid;
  };

  process(child supervisor, base::file_descriptor control, base::file_descriptor report, base::file_descriptor output,
          base::file_descriptor errors) noexcept;

  child supervisor_;
  pid_t pid_ = -1;
  clock::time_point started_at_{};
  base::file_descriptor control_;
  base::file_descriptor report_;
  base::file_descriptor output_;
  base::file_descriptor errors_;
};

}  // namespace tare::measure
