#pragma once

// Runs a scenario in a simulated world.
//
// **Cancellation** A simulation is called by the test, not awaited; when the scenario has ended, the tasks of the hosts
// are cancelled. **Threads** One simulation at a time in a process, and no other threads of the program meanwhile.
// **Bytes** What the program needs, and up to 10 MB for the steps of a run; with `twice`, of two runs.

#include <tare/sim/world.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace tare::sim {

struct options {
  std::uint64_t seed = 1;
  /// Runs the seed a second time, and fails if anything happens differently.
  bool twice = true;
  std::chrono::seconds time_limit = std::chrono::hours(24 * 7);  ///< simulated
  std::chrono::seconds real_limit = std::chrono::seconds(60);    ///< of one run
  /// Objects in frame memory and descriptors that are left at the end fail the run.
  bool check_leaks = true;
};

/// What a run did.
struct report {
  std::uint64_t hash = 0;  ///< of every step
  std::size_t steps = 0;   ///< simulated calls
  std::chrono::nanoseconds time{0};
};

/// A scenario that did not pass. The text has the seed, what went wrong, and the last steps.
class failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using scenario = std::function<task<>(world&)>;

/// Runs the scenario to its end, then ends the hosts' tasks. The same seed makes the same run.
///
/// **Errors** Throws `failure` if nothing can ever run again, a limit is reached, something leaks, or the second run
/// differs; and what the scenario throws, after it has printed the seed. A call that is not simulated aborts the
/// program with its name.
report run(const options& chosen, const scenario& body);

/// Runs `count` seeds from `chosen.seed` on. `TARE_SIM_SEEDS` in the environment replaces the count, and
/// `TARE_SIM_SEED` makes it one run of that seed.
///
/// **Errors** As for `run`; std::invalid_argument if one of these is not a number.
void run_seeds(std::uint64_t count, options chosen, const scenario& body);

}  // namespace tare::sim
