#include "sim/await_path.hpp"

#include "sched/suspend_index.hpp"

#include <cstddef>
#include <optional>

namespace tare::sim::detail {

namespace {

using tare::detail::parent_kind;
using tare::detail::wait_kind;
using tare::detail::wait_state;

[[nodiscard]] std::optional<suspension_point> point_of(const wait_state& task, const await_table& known) {
  const auto* const frame = reinterpret_cast<const std::byte*>(&task) - tare::detail::promise_offset;
  tare::detail::frame_glance start{};
  if (!tare::detail::glance(frame, start)) return std::nullopt;
  const auto* const described = known.find(start.resume);
  if (described == nullptr) return std::nullopt;
  return known.place(start.resume, tare::detail::suspend_index_of(frame, *described));
}

[[nodiscard]] bool is_shielding(const wait_state& task) noexcept {
  return !task.asleep && task.kind() == wait_kind::shielded_child;
}

/// The frame that this one awaits; nullptr if it waits for something else.
[[nodiscard]] wait_state* child_of(const wait_state& task) noexcept {
  const bool has_child = !task.asleep && (task.kind() == wait_kind::child || task.kind() == wait_kind::shielded_child);
  return has_child ? tare::detail::from_link<wait_state>(task.prev) : nullptr;
}

}  // namespace

wait_state* task_under_shield(wait_state& root) noexcept {
  for (const wait_state* task = &root; task != nullptr;) {
    wait_state* const child = child_of(*task);
    const bool is_task = child != nullptr && child->kind_of_parent() == parent_kind::branch;
    if (is_task && is_shielding(*task)) return child;
    task = child;
  }
  return nullptr;
}

std::vector<awaited_line> await_path(const wait_state& root, const await_table& known) {
  std::vector<awaited_line> path;
  bool is_shielded = false;
  for (const wait_state* task = &root; task != nullptr; task = child_of(*task)) {
    const auto point = point_of(*task, known);
    if (point && point->is_await) path.push_back({.point = *point, .is_shielded = is_shielded});
    is_shielded = is_shielded || is_shielding(*task);
  }
  return path;
}

}  // namespace tare::sim::detail
