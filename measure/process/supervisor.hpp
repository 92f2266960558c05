#pragma once

// The process between the caller and the command it watches.
//
// Ending "a command and everything it started" cannot be done reliably from outside: a grandchild may leave the process
// group and the session, and lose its parent. Linux offers a child subreaper: orphaned descendants become its children.
// Making the caller a subreaper would mix these orphans with its other children. So the caller forks a supervisor,
// which becomes a subreaper and forks the command:
//
//     caller ── supervisor ── command ── whatever it starts
//
// The descendants of the supervisor are exactly the processes of the command. The supervisor ends all of them when the
// control pipe closes, which also happens if the caller is killed without a chance to clean up. It kills its children,
// and those that are reparented to it, until it has none.
//
// The supervisor is a fork without exec of a program that may have threads, so it calls only functions that POSIX
// allows in a signal handler.

#include <sys/types.h>

#include <ctime>

namespace tare::measure {

/// The step in which a start failed.
enum class start_step : int { none, fork, directory, exec };

/// Sent through the start pipe just before the command is executed, and again if that fails.
struct start_notice {
  pid_t command = -1;
  start_step failed_at = start_step::none;
  int error_number = 0;
  timespec before_exec{};  ///< CLOCK_MONOTONIC
};

/// Everything is prepared before the fork, because nothing may be allocated after it. File descriptors are all above 2.
struct supervised {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* directory;  ///< null: stay
  int input;
  int output;
  int errors;
  int start;    ///< written: start_notice
  int report;   ///< written: the wait status of the command once it has ended; closes with the supervisor
  int control;  ///< read: closing the other end ends everything
};

/// Runs the supervisor, in the child of a fork, with all signals blocked.
[[noreturn]] void supervise(const supervised& job) noexcept;

}  // namespace tare::measure
