#include "sched/shard.hpp"

#include <tare/detail/timer_node.hpp>

#include <cstdint>

namespace tare::detail {

void arm(timer_node& timer, std::int64_t nanoseconds) noexcept {
  shard& here = shard::current();
  here.timers().insert(timer, tick_at_or_after(deadline_after(here.not_before(), nanoseconds)));
}

void disarm(timer_node& timer) noexcept {
  if (timer.asleep) wheel::remove(timer);
}

}  // namespace tare::detail
