#pragma once

// A race: runs every peer of a list in every workload, one process at a time.
//
// A temporary slowdown of the machine must not affect only one peer, so all peers run with one number of tasks before
// any continues with the next, and everything is repeated. A peer that cannot be built, crashes or does not reach READY
// is marked, and the others continue.

#include "measure/process/listen.hpp"
#include "measure/race/results.hpp"
#include "measure/race/workload.hpp"
#include "measure/weigh/peers.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::measure {

struct race_plan {
  std::filesystem::path root;              ///< working directory of the peers' commands
  std::vector<peer> peers;                 ///< in the order of the report
  std::vector<const workload*> workloads;  ///< likewise
  std::vector<std::uint64_t> counts;       ///< replaces those of the workloads, unless empty
  bool quick = false;                      ///< the workloads' smaller numbers
  unsigned repeats = 3;
  std::chrono::nanoseconds time_limit = std::chrono::minutes(2);  ///< for each READY
};

/// Callbacks of a running race. They must not throw.
struct race_listener {
  std::function<void(std::string_view)> progress;   ///< "repeat 1 of 3: empty, 100,000 tasks: tokio"
  std::function<void(std::string_view)> complaint;  ///< one line about what was omitted or failed
};

/// Returns what has been measured, even if it was told to stop.
[[nodiscard]] race_results race(const race_plan& plan, const race_listener& listener, stop_signal stop = -1);

/// Today's date, for a race that starts now: "2026-01-31".
[[nodiscard]] std::string today();

/// Whether a peer or an entry of the results failed.
[[nodiscard]] bool any_failed(const race_results& results);

}  // namespace tare::measure
