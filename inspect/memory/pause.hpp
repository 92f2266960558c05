#pragma once

// Stopping a process for a moment, so that its memory does not change while it is read.

#include "base/error.hpp"

#include <sys/types.h>

#include <chrono>
#include <vector>

namespace tare::inspect {

/// While it lives, all threads of the process stand still. They go on when it ends, and also if this process dies
/// meanwhile: stopping is done by ptrace, without signals that the process or its parent could see. A process that a
/// debugger is at cannot be stopped.
class pause {
 public:
  [[nodiscard]] static base::result<pause> begin(pid_t pid);

  pause(pause&& other) noexcept;
  pause& operator=(pause&&) = delete;
  pause(const pause&) = delete;
  pause& operator=(const pause&) = delete;
  ~pause() { end(); }

  /// Lets it go on; returns for how long it stood still. A second time returns the same.
  std::chrono::nanoseconds end() noexcept;

 private:
  pause() = default;

  struct stopped_thread {
    pid_t number = 0;
    int signal = 0;  ///< that was about to be delivered, and is when the thread goes on; 0: none
  };
  static bool wait_until_stopped(stopped_thread& thread);

  std::vector<stopped_thread> threads_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::chrono::nanoseconds lasted_{};
};

}  // namespace tare::inspect
