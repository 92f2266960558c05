#pragma once

// Weighing: what does one suspended task of a program cost?
//
// The program is started with the number of tasks as an argument. It starts them, prints a line READY when all are
// suspended, and stays as it is. Then the kernel is asked how much memory its processes hold, and they are ended.
// Doing this for several numbers gives the cost of a task without the cost of the program (summary.hpp).

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/proc/memory.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"
#include "measure/weigh/reported.hpp"

namespace tare::measure {

/// The line that a program prints when all its tasks are suspended.
inline constexpr std::string_view ready_line = "READY";

/// One program, measured once with one number of tasks.
struct sample {
  std::uint64_t n = 0;
  base::memory held;                  ///< Of the command and everything below it.
  std::chrono::nanoseconds ready{0};  ///< From just before exec until the READY line was read.
  std::chrono::nanoseconds cpu{0};    ///< User and system time that the processes had used by then.
  std::uint64_t burst = 0;            ///< Of connections: RSS after another request on each; otherwise 0.
  std::uint64_t closed = 0;           ///< Of connections: RSS after all were closed; otherwise 0.
  reported_values reported = {};      ///< What the program itself said before READY, in lines "key=number".

  friend bool operator==(const sample&, const sample&) = default;
};

/// Samples for growing n, one for each.
using series = std::vector<sample>;

/// Measures once. Nothing of the program runs when this returns. `settle` is how long to wait between READY and the
/// reading of the memory, for programs that give memory back when they have nothing to do.
[[nodiscard]] base::result<sample> weigh_once(const command& program, std::uint64_t n,
                                              std::chrono::nanoseconds time_limit, stop_signal stop = -1,
                                              std::chrono::nanoseconds settle = std::chrono::nanoseconds(0));

/// What to measure.
struct weighing {
  command program;                                                ///< With `{n}` where the number of tasks goes.
  std::vector<std::uint64_t> counts;                              ///< Growing.
  std::chrono::nanoseconds time_limit = std::chrono::minutes(1);  ///< For each READY.
};

/// What was measured; less than was asked for if it failed.
struct weighed {
  series samples;
  std::optional<base::error> failed;
};

/// Measures with every count once, and stops at the first failure. `progress` is called before each start.
[[nodiscard]] weighed weigh(const weighing& what, stop_signal stop = -1,
                            const std::function<void(std::uint64_t n)>& progress = {});

}  // namespace tare::measure
