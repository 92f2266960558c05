#pragma once

#include <chrono>
#include <string>

#include "base/error.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"

namespace tare::measure {

/// Runs a command that ends by itself, and returns the last 4 KiB of its standard output.
///
/// Anything but status 0 is an error, with the last line that the command wrote to standard error, or else to standard
/// output. What it has left running is ended.
[[nodiscard]] base::result<std::string> run(const command& what, std::chrono::nanoseconds time_limit,
                                            stop_signal stop = -1);

}  // namespace tare::measure
