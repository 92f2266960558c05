#pragma once

#include "base/file_descriptor.hpp"

namespace tare::cli {

/// While it exists, SIGINT, SIGTERM and SIGHUP do not end the process but make `signal()` readable, so that children
/// can be ended and results kept. Create at most one at a time, in the main thread before other threads start.
class stop_request {
 public:
  stop_request();
  stop_request(const stop_request&) = delete;
  stop_request& operator=(const stop_request&) = delete;
  ~stop_request();

  /// For functions of inspect/ that can be interrupted.
  [[nodiscard]] int signal() const noexcept { return signals_.get(); }
  /// 128 plus the number of the signal that has arrived, as a shell reports it; 0 if none has.
  [[nodiscard]] int exit_status();

 private:
  base::file_descriptor signals_;
  int arrived_ = 0;
};

}  // namespace tare::cli
