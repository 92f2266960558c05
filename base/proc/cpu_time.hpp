#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>

namespace tare::base {

/// The CPU time that the processes have used so far, user and system: of all their threads, also ended ones, and of
/// children of theirs that have ended and been waited for. A process that has ended counts as nothing.
///
/// To the nanosecond for the processes; what their ended children used is only known to a tick, usually 10 ms.
[[nodiscard]] std::chrono::nanoseconds read_cpu_time(std::span<const pid_t> processes);

}  // namespace tare::base
