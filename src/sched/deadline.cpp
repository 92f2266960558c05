// Finds the deadlines around a task.

#include "sched/shard.hpp"

#include <tare/cancellation.hpp>
#include <tare/detail/join_group.hpp>
#include <tare/detail/scope_core.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tare::detail {

namespace {

/// The task that awaits `task`, or no_link. Lowers `deadline` if there is a time limit in between.
link awaiting(const wait_state& task, std::optional<std::int64_t>& deadline) noexcept {
  switch (task.kind_of_parent()) {
    case parent_kind::frame:
      return task.parent;
    case parent_kind::scope:
      return scope_core::joiner_of(task.parent);
    case parent_kind::branch: {
      const join_group* const group = join_group::of(*from_link<branch>(task.parent));
      if (group == nullptr) return no_link;  // the task has moved, and its parents belong to another thread
      if (group->policy() == group_policy::time_decides) {
        const std::int64_t limit = static_cast<const timed_group*>(group)->deadline;
        deadline = std::min(deadline.value_or(limit), limit);
      }
      return group->owner;
    }
    default:
      return no_link;
  }
}

}  // namespace

std::optional<std::chrono::nanoseconds> remaining_of(const wait_state& task) noexcept {
  std::optional<std::int64_t> deadline;
  for (const wait_state* at = &task;;) {
    const link next = awaiting(*at, deadline);
    if (next == no_link) break;
    at = from_link<const wait_state>(next);
  }
  if (!deadline) return std::nullopt;
  return std::chrono::nanoseconds(*deadline - shard::current().now());
}

}  // namespace tare::detail
