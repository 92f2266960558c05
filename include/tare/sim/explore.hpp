#pragma once

// Systematic, not random: runs a scenario once, counts what could go wrong, and runs it again for each.
//
//   TEST(queue, survives_every_fault) {
//     const auto seen = tare::sim::explore({.failed = [] { return ::testing::Test::HasFailure(); }},
//                                          [](tare::sim::world& w) -> tare::task<> { ... });
//     EXPECT_GT(seen.awaits.tried, 0);
//   }
//
// After each run, what `tare::sim::run` checks is checked: nothing leaks, nothing waits forever, and what the scenario
// asserts. A task that ends because its await was cancelled or an allocation was refused is no failure; a scenario asks
// `world::fault_may_fail` whether it may expect success.
//
// **Cancellation**, **Threads**, **Bytes** As for `tare::sim::run` (run.hpp).

#include <tare/await_table.hpp>
#include <tare/sim/run.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::sim {

struct explore_options {
  options run = {.twice = false, .time_limit = std::chrono::hours(24)};
  bool cancel_awaits = true;       ///< each time a task is suspended: it is cancelled there, once
  bool wait_for_sockets = true;    ///< the same again, while each call on a socket must wait before it succeeds
  bool refuse_allocations = true;  ///< each frame and record: std::bad_alloc, once
  bool cut_writes = true;          ///< each write, after each byte: then a reset, or silence
  bool split_reads = true;         ///< each segment, at each byte: the second part arrives later than all else
  bool delay_wakes = true;         ///< each wake-up of a thread: it runs after all others
  bool fail_files = true;          ///< each call that reads, changes or syncs a file: EIO, once
  std::size_t max_bytes = 64;      ///< of a write or segment at which it is cut: the first ones, and the last
  std::uint64_t max_runs = 50'000;
  /// To report which lines were cancelled (`exploration::lines`); `read_awaits` of <tare/symbols.hpp> makes it. It must
  /// outlive the exploration and what it returns.
  const await_table* awaits = nullptr;
  /// Called after each run; true ends the exploration. For assertions that do not throw.
  std::function<bool()> failed = {};
};

/// How many faults of a kind there were, and how many of them have been tried: fewer only if `max_runs` is reached.
struct explored_faults {
  std::uint64_t possible = 0;
  std::uint64_t tried = 0;
};

/// A line with an await. A line counts as cancelled when a task was cancelled that waited there or, through the
/// functions it awaits, further down.
struct explored_line {
  std::string_view file;
  unsigned line = 0;
  std::string_view function;    ///< one of them, if several coroutines contain it
  std::uint64_t cancelled = 0;  ///< the number of runs in which it was
  std::uint64_t shielded = 0;   ///< the number of runs in which the task was cancelled, but a `shield` was in between
};

struct exploration {
  explored_faults awaits;
  explored_faults allocations;
  explored_faults writes;
  explored_faults reads;
  explored_faults wakes;
  explored_faults files;
  std::uint64_t runs = 0;
  std::vector<explored_line> lines;  ///< of the whole program, ordered; empty without `explore_options::awaits`
};

/// One line with these counts.
[[nodiscard]] std::string to_string(const exploration& seen);

/// Runs the scenario with each fault.
///
/// **Errors** Throws `failure`, which names the fault and how to repeat it: `TARE_SIM_FAULT` in the environment makes
/// it one run with that fault.
exploration explore(const explore_options& chosen, const scenario& body);

}  // namespace tare::sim
