#pragma once

// Load in a closed loop: each connection sends a request, waits for the response, and sends the next.
//
// A client that waits for a slow response does not send the requests that it would have sent meanwhile, so the delay
// appears in one latency instead of many: Gil Tene's "coordinated omission". With a rate, every request has a due time,
// and latency is counted from then even if it had to wait for the previous response. Without a rate there is no due
// time, and the service time is measured.

#include "load/crowd.hpp"
#include "load/latencies.hpp"

#include <chrono>
#include <cstddef>
#include <memory>

namespace tare::load {

struct closed_loop_options {
  std::size_t connections = 64;
  std::chrono::nanoseconds time = std::chrono::seconds(10);
  double rate = 0;  ///< requests per second over all connections; 0: as many as possible
  unsigned sources = 1;
  std::chrono::nanoseconds time_limit = std::chrono::seconds(10);  ///< for each exchange
};

struct closed_loop_result {
  tally opened;
  tally exchanges;
  std::chrono::nanoseconds time{0};
  std::unique_ptr<latencies> answered = std::make_unique<latencies>();
};

[[nodiscard]] task<closed_loop_result> drive(target what, closed_loop_options options);

}  // namespace tare::load
