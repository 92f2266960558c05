#pragma once

// One run of a scenario, with at most one injected fault.

#include "sim/await_path.hpp"
#include "sim/faults.hpp"
#include "sim/trace.hpp"

#include <tare/await_table.hpp>
#include <tare/sim/run.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace tare::sim::detail {

struct injection {
  std::uint64_t cancelled_await = 0;     ///< the number of the await whose task is cancelled; 0: none
  std::uint64_t refused_allocation = 0;  ///< likewise
  std::uint64_t late_wake = 0;           ///< likewise
  const await_table* awaits = nullptr;   ///< to find where the task was cancelled
  faults wire;
};

struct outcome {
  trace steps;
  std::int64_t time = 0;
  std::optional<std::string> problem;  ///< of the simulation
  std::exception_ptr error;            ///< of the scenario
  std::string last_steps;
  std::vector<awaited_line> cancelled_at;  ///< of the task that was cancelled, if the awaits are known
  // What could have been injected.
  std::uint64_t awaits = 0;
  std::uint64_t allocations = 0;
  std::uint64_t wakes = 0;
  faults wire;
};

[[nodiscard]] outcome play(std::uint64_t seed, const options& chosen, const scenario& body, const injection& fault);

}  // namespace tare::sim::detail
