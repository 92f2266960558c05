#pragma once

// Weighing: the cost of one suspended task of a program.
//
// The program is started with the number of tasks as an argument. It starts them, prints a line READY when all are
// suspended, and stays in that state. Then the memory of its processes is read from the kernel, and they are ended.
// Repeating this for several numbers gives the cost of a task without the cost of the program (summary.hpp).

#include "base/error.hpp"
#include "base/proc/memory.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"
#include "measure/weigh/reported.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace tare::measure {

/// The line that a program prints when all its tasks are suspended.
inline constexpr std::string_view ready_line = "READY";

/// How much more the kernel holds with the connections open than before: for both ends, because both are on this
/// machine. Empty where the kernel does not say.
struct kernel_growth {
  std::optional<std::int64_t> slab;     ///< of its small objects
  std::optional<std::int64_t> sockets;  ///< of the buffers of TCP

  friend bool operator==(const kernel_growth&, const kernel_growth&) = default;
};

/// One program, measured once with one number of tasks.
struct sample {
  std::uint64_t n = 0;
  base::memory held;                  ///< of the command and all its descendants
  std::chrono::nanoseconds ready{0};  ///< from just before exec until the READY line was read
  std::chrono::nanoseconds cpu{0};    ///< user and system time used until then
  std::uint64_t burst = 0;            ///< of connections: RSS after another request on each; otherwise 0
  std::uint64_t closed = 0;           ///< of connections: RSS after all were closed; otherwise 0
  kernel_growth kernel = {};          ///< of connections
  reported_values reported = {};      ///< what the program itself reported before READY, in lines "key=number"

  friend bool operator==(const sample&, const sample&) = default;
};

/// Samples in order of n, one per n.
using series = std::vector<sample>;

/// Measures once. The program has ended when this returns. `settle` is how long to wait between READY and reading the
/// memory, for programs that return memory when idle.
[[nodiscard]] base::result<sample> weigh_once(const command& program, std::uint64_t n,
                                              std::chrono::nanoseconds time_limit, stop_signal stop = -1,
                                              std::chrono::nanoseconds settle = std::chrono::nanoseconds(0));

/// What to measure.
struct weighing {
  command program;                                                ///< with `{n}` in place of the number of tasks
  std::vector<std::uint64_t> counts;                              ///< growing
  std::chrono::nanoseconds time_limit = std::chrono::minutes(1);  ///< for each READY
};

/// What was measured; less than requested if it failed.
struct weighed {
  series samples;
  std::optional<base::error> failed;
};

/// Measures once with every count, and stops at the first failure. `progress` is called before each start.
[[nodiscard]] weighed weigh(const weighing& what, stop_signal stop = -1,
                            const std::function<void(std::uint64_t n)>& progress = {});

}  // namespace tare::measure
