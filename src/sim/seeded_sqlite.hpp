#pragma once

// What SQLite keeps from one run to the next, in variables of the process.

namespace tare::sim::detail {

/// If the program has SQLite: its random numbers begin anew, with what the simulated system gives it.
void seed_sqlite() noexcept;

/// True for a variable of SQLite, if that is a library of its own.
[[nodiscard]] bool is_of_sqlite(const void* address) noexcept;

}  // namespace tare::sim::detail
