#pragma once

// If the program aborts or crashes in a simulation: prints how to repeat it, and what happened last.

#include "sim/scheduler.hpp"

#include <csignal>
#include <cstdint>
#include <string>

namespace tare::sim::detail {

class stop_report {
 public:
  stop_report(std::uint64_t seed, const scheduler& fibers) noexcept;
  stop_report(const stop_report&) = delete;
  stop_report& operator=(const stop_report&) = delete;
  ~stop_report();

 private:
  struct sigaction on_abort_before_{};
  struct sigaction on_fault_before_{};
};

[[nodiscard]] std::string describe_last_steps(const scheduler& fibers);
/// One line that says how to repeat the run of a seed.
[[nodiscard]] std::string how_to_repeat(std::uint64_t seed);

}  // namespace tare::sim::detail
