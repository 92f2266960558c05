#include "sched/shard.hpp"

#include <tare/detail/timer_node.hpp>

#include <cstdint>

namespace tare::detail {

std::int64_t arm(timer_node& timer, std::int64_t nanoseconds) noexcept {
  shard& here = shard::current();
  const std::int64_t deadline = deadline_after(here.not_before(), nanoseconds);
  here.timers().insert(timer, tick_at_or_after(deadline));
  return deadline;
}

void arm_at(timer_node& timer, std::int64_t deadline) noexcept {
  shard& here = shard::current();
  // Later than the last possible deadline is later than any time.
  const std::int64_t at = deadline > end_of_time ? deadline_after(here.now(), deadline) : deadline;
  here.timers().insert(timer, tick_at_or_after(at));
}

void disarm(timer_node& timer) noexcept {
  if (timer.asleep) wheel::remove(timer);
}

}  // namespace tare::detail
