#pragma once

// A race of connections: weighs every server of a list in every kind of connection that it speaks, one process at a
// time. A server that fails in one kind is marked, and the others continue.

#include "measure/process/listen.hpp"
#include "measure/race/race.hpp"
#include "measure/race/results.hpp"
#include "measure/weigh/connection_kind.hpp"
#include "measure/weigh/peers.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace tare::load {

struct connection_race_plan {
  std::filesystem::path root;                   ///< working directory of the servers' commands
  std::vector<measure::peer> servers;           ///< in the order of the report
  std::vector<measure::connection_kind> kinds;  ///< likewise
  std::vector<std::uint64_t> counts;            ///< of connections, growing
  bool quick = false;                           ///< only for the report
  unsigned repeats = 3;
  std::chrono::nanoseconds time_limit = std::chrono::minutes(1);        ///< for each response
  std::chrono::nanoseconds total_time_limit = std::chrono::minutes(5);  ///< for each count of each server and kind
};

/// In a list of servers, a GET of this path makes a server respond to all its long polls.
inline constexpr const char* release_path = "/release";

/// Returns what has been measured, even if it was told to stop. The workloads of the entries are names of kinds.
[[nodiscard]] measure::race_results race_connections(const connection_race_plan& plan,
                                                     const measure::race_listener& listener,
                                                     measure::stop_signal stop = -1);

}  // namespace tare::load
