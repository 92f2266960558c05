#pragma once

// `tare::sim::explore` as the tests here use it: every assertion counts, every fault must have been tried, and the
// lines that were cancelled are recorded.

#include <tare/sim.hpp>

namespace tare::testing {

/// Runs the scenario under every single fault of the kinds in `chosen`, whose `failed` and `awaits` it sets. Fails the
/// test if a fault was not tried. If `TARE_SIM_COVERAGE` in the environment names a folder, the exploration is added
/// there to a file with the test's name, which tests/sim/coverage.py reads; then the program must have a table of its
/// awaits.
sim::exploration explore_every_fault(const sim::scenario& body, sim::explore_options chosen = {});

}  // namespace tare::testing
