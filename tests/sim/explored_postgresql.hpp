#pragma once

// Explorations of clients of a simulated PostgreSQL server.

#include "sim/explored.hpp"
#include "sim/postgresql_clients.hpp"

#include <gtest/gtest.h>

#include <cstddef>

namespace tare::testing::postgresql {

class explored_postgresql : public ::testing::Test {
 protected:
  /// libpq initializes itself once per process, which takes steps.
  static void SetUpTestSuite() {
    const plan once{.clients = [](setting& with) { return select(with, "first", "SELECT $1"); }, .tls = "prefer"};
    sim::run({.twice = false}, [&](world& w) { return play(w, once); });
  }
};

/// Under every single fault; `max_bytes` as in `explore_options`.
inline void explore(const plan& chosen, std::size_t max_bytes, std::size_t min_runs) {
  sim::explore_options options;
  options.max_bytes = max_bytes;
  const auto seen = explore_every_fault([&](world& w) { return play(w, chosen); }, options);
  EXPECT_GT(seen.runs, min_runs);
}

}  // namespace tare::testing::postgresql
