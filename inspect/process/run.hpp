#pragma once

#include <chrono>
#include <string>

#include "inspect/error.hpp"
#include "inspect/process/command.hpp"
#include "inspect/process/listen.hpp"

namespace tare::inspect {

/// Runs a command that ends by itself, and returns the last 4 KiB of its standard output.
///
/// Anything but status 0 is an error, with the last line that the command wrote to standard error, or else to standard
/// output. What it has left running is ended.
[[nodiscard]] result<std::string> run(const command& what, std::chrono::nanoseconds time_limit, stop_signal stop = -1);

}  // namespace tare::inspect
