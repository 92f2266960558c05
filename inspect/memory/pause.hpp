#pragma once

// Stopping a process for a moment, so that its memory does not change while it is read.

#include "base/error.hpp"

#include <sys/types.h>

#include <chrono>
#include <memory>

namespace tare::inspect {

/// While it exists, all threads of the process are stopped, but for at most the given time: then a separate thread lets
/// them continue. They also continue if this process dies: it stops them with ptrace, without signals that the process
/// or its parent could see. A process under a debugger cannot be stopped.
class pause {
 public:
  [[nodiscard]] static base::result<pause> begin(pid_t pid, std::chrono::nanoseconds max_time);

  pause(pause&& other) noexcept;
  pause& operator=(pause&&) = delete;
  pause(const pause&) = delete;
  pause& operator=(const pause&) = delete;
  ~pause();

  struct outcome {
    std::chrono::nanoseconds lasted{};
    bool timed_out = false;  ///< the process continued before end() was called
  };
  /// Lets the process continue. Further calls return the same result.
  outcome end() noexcept;

 private:
  class tracer;
  explicit pause(std::unique_ptr<tracer> running);

  std::unique_ptr<tracer> tracer_;
  outcome outcome_{};
};

}  // namespace tare::inspect
