#pragma once

// How every subcommand reports errors and which exit status it returns.

#include "base/error.hpp"

#include <string_view>

namespace tare::cli {

/// Exit statuses of the command, as its man page lists them.
enum exit_status : int {
  done = 0,
  failed = 1,     ///< something could not be measured, read or written
  bad_usage = 2,  ///< wrong options, or a mistake in a file that the user wrote
  stopped = 130,  ///< by Ctrl-C; other signals give 128 and their number
};

/// Prints "tare: MESSAGE" to standard error.
void complain(std::string_view message);

/// Prints it, and returns the exit status.
[[nodiscard]] int complain(const base::error& what);

/// Flushes standard output. An error, such as a full disk, is reported and changes the status.
[[nodiscard]] int finish_output(int status);

}  // namespace tare::cli
