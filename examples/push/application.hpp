#pragma once

#include "access.hpp"
#include "metrics.hpp"
#include "topics.hpp"

#include <tare/runtime.hpp>
#include <tare/shard_watch.hpp>

#include <random>
#include <utility>

namespace push {

/// Shared by all handlers.
struct application {
  application(tare::runtime& in, topic_limits limits, event_ids ids, access by)
      : runtime(in), watch(in), all(limits, std::move(ids)), allowed(std::move(by)), random(std::random_device()()) {}

  tare::runtime& runtime;
  tare::shard_watch watch;
  topics all;
  access allowed;
  metrics measured;
  std::minstd_rand random;
};

}  // namespace push
