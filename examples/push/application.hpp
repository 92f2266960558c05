#pragma once

#include "access.hpp"
#include "metrics.hpp"
#include "nats_stream.hpp"
#include "topics.hpp"

#include <tare/runtime.hpp>
#include <tare/shard_watch.hpp>

#include <random>
#include <string>
#include <utility>

namespace push {

/// Of all the bits that the system gives.
[[nodiscard]] inline std::mt19937_64 seed() {
  std::random_device from;
  std::seed_seq bits{from(), from(), from(), from(), from(), from(), from(), from()};
  return std::mt19937_64(bits);
}

/// Shared by all handlers.
struct application {
  application(tare::runtime& in, topic_limits limits, event_ids ids, access by, nats_stream* from)
      : runtime(in), watch(in), all(limits, std::move(ids)), allowed(std::move(by)), shared(from), random(seed()) {}

  tare::runtime& runtime;
  tare::shard_watch watch;
  topics all;
  access allowed;
  nats_stream* shared;  ///< where the events come from; nullptr if they are published here
  metrics measured;
  std::mt19937_64 random;

  /// Differs from all others, in every process.
  [[nodiscard]] std::string random_key() { return std::to_string(random()) + '-' + std::to_string(random()); }
};

}  // namespace push
