#pragma once

// The way up from a task to what awaits it.

#include "sched/visit.hpp"

#include <tare/detail/join_group.hpp>
#include <tare/detail/scope_core.hpp>
#include <tare/detail/wait_state.hpp>

namespace tare::detail {

struct ancestor {
  link task = no_link;                ///< the one that awaits or joins; no_link: none, or it belongs to another thread
  const join_group* group = nullptr;  ///< by which it awaits, if by one
  const visit* away = nullptr;        ///< the task has moved, and `task` is unknown
};

[[nodiscard]] inline ancestor ancestor_of(const wait_state& task) noexcept {
  switch (task.kind_of_parent()) {
    case parent_kind::frame:
      return {.task = task.parent};
    case parent_kind::scope:
      return {.task = scope_core::joiner_of(task.parent)};
    case parent_kind::branch: {
      if (const visit* const away = visit::of(task)) return {.away = away};
      const join_group* const group = join_group::of(*from_link<branch>(task.parent));
      if (group == nullptr) return {};
      return {.task = group->owner, .group = group};
    }
    default:
      return {};
  }
}

}  // namespace tare::detail
