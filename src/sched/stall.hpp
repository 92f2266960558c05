#pragma once

// The report in virtual time when all tasks wait and no deadline is left.

namespace tare::detail {

class runtime_core;

/// Prints the runtime's tasks and what they wait for to standard error. All shards must be at rest. `certain`: nothing
/// can wake any of them; otherwise a descriptor or another thread might.
void print_stall(runtime_core& runtime, bool certain) noexcept;

/// Number of threads of this process; 0 if unknown.
[[nodiscard]] unsigned count_threads() noexcept;

}  // namespace tare::detail
