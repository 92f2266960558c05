#pragma once

#include <sys/types.h>

#include <chrono>
#include <span>

namespace tare::base {

/// The CPU time that the processes have used so far, user and system: of all their threads, including ended ones, and
/// of their children that have ended and been waited for. A process that has ended counts as 0.
///
/// In nanoseconds for the processes; for their ended children only in ticks, usually 10 ms.
[[nodiscard]] std::chrono::nanoseconds read_cpu_time(std::span<const pid_t> processes);

}  // namespace tare::base
