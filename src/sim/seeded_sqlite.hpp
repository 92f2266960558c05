#pragma once

// SQLite keeps the state of its random numbers from one run to the next.

namespace tare::sim::detail {

/// If the program has SQLite: its random numbers begin anew, with what the simulated system gives it.
void seed_sqlite() noexcept;

}  // namespace tare::sim::detail
