// Finds the deadlines around a task.

#include "sched/ancestors.hpp"
#include "sched/shard.hpp"

#include <tare/cancellation.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tare::detail {

std::optional<std::chrono::nanoseconds> remaining_of(const wait_state& task) noexcept {
  std::optional<std::int64_t> deadline;
  for (const wait_state* at = &task;;) {
    const ancestor above = ancestor_of(*at);
    if (above.group != nullptr && above.group->policy() == group_policy::time_decides) {
      const std::int64_t limit = static_cast<const timed_group*>(above.group)->deadline;
      deadline = std::min(deadline.value_or(limit), limit);
    }
    if (above.task == no_link) break;
    at = from_link<const wait_state>(above.task);
  }
  if (!deadline) return std::nullopt;
  return std::chrono::nanoseconds(*deadline - shard::current().now());
}

}  // namespace tare::detail
