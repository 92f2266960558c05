#pragma once

// The process between the caller and the command it watches.
//
// Ending "a command and everything it started" is not possible from outside with certainty: a grandchild may leave the
// process group, the session, and lose its parent. What Linux does offer is a child subreaper: orphans below it become
// its children, wherever they went. Making the caller one would mix these orphans with children it has for other
// reasons. So the caller forks a supervisor, which becomes a subreaper and forks the command:
//
//     caller ── supervisor ── command ── whatever it starts
//
// Everything below the supervisor belongs to the command and nothing else does. The supervisor ends it all when the
// control pipe closes, which also happens when the caller is killed without any chance to clean up. It kills its
// children, and those which their deaths make its children, until it has none.
//
// The supervisor is a fork without exec of a program that may have threads, so it calls nothing but what POSIX allows
// in a signal handler.

#include <sys/types.h>

#include <ctime>

namespace tare::measure {

/// The step that a start failed in.
enum class start_step : int { none, fork, directory, exec };

/// What arrives in the start pipe just before the command is executed, and once more if that fails.
struct start_notice {
  pid_t command = -1;
  start_step failed_at = start_step::none;
  int error_number = 0;
  timespec before_exec{};  ///< CLOCK_MONOTONIC
};

/// Everything prepared before the fork, since nothing may be allocated after it. File descriptors are all above 2.
struct supervised {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* directory;  ///< null: stay
  int input;
  int output;
  int errors;
  int start;    ///< Written: start_notice.
  int report;   ///< Written: the wait status of the command once it has ended. Closes with the supervisor.
  int control;  ///< Read: closing the other end ends everything.
};

/// The life of the supervisor, in the child of a fork, with all signals blocked.
[[noreturn]] void supervise(const supervised& job) noexcept;

}  // namespace tare::measure
