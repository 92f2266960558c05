#include "sim/seeded_sqlite.hpp"

extern "C" {

// nullptr unless the program has SQLite.
[[gnu::weak]] int sqlite3_initialize();
[[gnu::weak]] void sqlite3_randomness(int size, void* into);
}

namespace tare::sim::detail {

void seed_sqlite() noexcept {
  if (sqlite3_initialize == nullptr || sqlite3_randomness == nullptr) return;
  // What happens once in a process does not happen in a simulation, where it would be a step of the first run only.
  (void)sqlite3_initialize();
  sqlite3_randomness(0, nullptr);
}

}  // namespace tare::sim::detail
