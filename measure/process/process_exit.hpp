#pragma once

#include <string>

namespace tare::measure {

/// How a process ended, according to wait().
class process_exit {
 public:
  explicit process_exit(int wait_status) noexcept : wait_status_(wait_status) {}

  /// Ended by itself with status 0.
  [[nodiscard]] bool success() const noexcept { return wait_status_ == 0; }
  /// "exited with status 3", "was killed by SIGSEGV (Segmentation fault)".
  [[nodiscard]] std::string text() const;

 private:
  int wait_status_;
};

}  // namespace tare::measure
