#pragma once

// A race: every peer of a list through every workload, one process at a time.
//
// What slows the machine for a while must not hit one peer alone, so all of them take their turn at one number of tasks
// before any goes on to the next, and everything is repeated. A peer that cannot be built, crashes or does not come to
// READY is marked, and the others go on.

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/process/listen.hpp"
#include "measure/race/results.hpp"
#include "measure/race/workload.hpp"
#include "measure/weigh/peers.hpp"

namespace tare::measure {

struct race_plan {
  std::filesystem::path root;              ///< Where the peers' commands run.
  std::vector<peer> peers;                 ///< In the order of the report.
  std::vector<const workload*> workloads;  ///< Likewise.
  std::vector<std::uint64_t> counts;       ///< In place of those of the workloads; empty: theirs.
  bool quick = false;                      ///< The workloads' smaller numbers.
  unsigned repeats = 3;
  std::chrono::nanoseconds time_limit = std::chrono::minutes(2);  ///< For each READY.
};

/// What a race tells while it runs. Neither must throw.
struct race_listener {
  std::function<void(std::string_view)> progress;   ///< "repeat 1 of 3: empty, 100,000 tasks: tokio"
  std::function<void(std::string_view)> complaint;  ///< One line for what was left out or went wrong.
};

/// Returns what has been measured, also when told to stop.
[[nodiscard]] race_results race(const race_plan& plan, const race_listener& listener, stop_signal stop = -1);

/// The date of a race that starts now: "2026-01-31".
[[nodiscard]] std::string today();

/// Whether a peer or an entry of the results failed.
[[nodiscard]] bool any_failed(const race_results& results);

}  // namespace tare::measure
