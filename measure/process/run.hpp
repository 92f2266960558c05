#pragma once

#include "base/error.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"

#include <chrono>
#include <string>

namespace tare::measure {

/// Runs a command to its end, and returns the last 4 KiB of its standard output.
///
/// Any status other than 0 is an error, with the last line that the command wrote to standard error, or else to
/// standard output. Processes that it has left running are ended.
[[nodiscard]] base::result<std::string> run(const command& what, std::chrono::nanoseconds time_limit,
                                            stop_signal stop = -1);

}  // namespace tare::measure
