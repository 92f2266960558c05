#pragma once

// Load in a closed loop: each connection asks, waits for the answer, and asks again.
//
// A client that waits for a slow answer does not send what it would have sent meanwhile, so the slow time shows in one
// latency instead of many: Gil Tene's "coordinated omission". With a rate, every request has a time at which it is due,
// and one that had to wait for the answer before it is counted from then. Without a rate there is no such time, and
// what is counted is the time of service.

#include "load/crowd.hpp"
#include "load/latencies.hpp"

#include <chrono>
#include <cstddef>
#include <memory>

namespace tare::load {

struct closed_loop_options {
  std::size_t connections = 64;
  std::chrono::nanoseconds time = std::chrono::seconds(10);
  double rate = 0;  ///< Requests a second over all connections; 0: as many as come.
  unsigned sources = 1;
  std::chrono::nanoseconds time_limit = std::chrono::seconds(10);  ///< For each exchange.
};

struct closed_loop_result {
  tally opened;
  tally exchanges;
  std::chrono::nanoseconds time{0};
  std::unique_ptr<latencies> answered = std::make_unique<latencies>();
};

[[nodiscard]] task<closed_loop_result> drive(target what, closed_loop_options options);

}  // namespace tare::load
