#include "sched/shard.hpp"

#include <tare/timeout.hpp>

#include <cstdint>

namespace tare::detail {

void arm(timer_node& timer, std::int64_t nanoseconds) noexcept {
  shard& here = shard::current();
  const std::int64_t present = here.not_before();
  const std::int64_t deadline = nanoseconds > INT64_MAX - present ? INT64_MAX : present + nanoseconds;
  here.timers().insert(timer, tick_at_or_after(deadline));
}

void disarm(timer_node& timer) noexcept {
  if (timer.asleep) wheel::remove(timer);
}

}  // namespace tare::detail
