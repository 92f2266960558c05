#include "sim/await_path.hpp"

#include "sched/suspend_index.hpp"

#include <cstddef>

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

[[nodiscard]] bool has_child(const wait_state& task) noexcept {
  return !task.asleep && task.kind() == wait_kind::child;
}
[[nodiscard]] bool is_shielding(const wait_state& task) noexcept {
  return !task.asleep && task.kind() == wait_kind::shielded_child;
}

}  // namespace

wait_state* task_under_shield(wait_state& root) noexcept {
  for (wait_state* task = &root; is_shielding(*task) || has_child(*task);) {
    auto* const child = tare::detail::from_link<wait_state>(task->prev);
    if (is_shielding(*task) && child->kind_of_parent() == parent_kind::branch) return child;
    task = child;
  }
  return nullptr;
}

std::vector<awaited_line> await_path(const wait_state& root, const await_table& known) {
  std::vector<awaited_line> path;
  bool is_shielded = false;
  for (const wait_state* task = &root; task != nullptr;) {
    const auto point = point_of(*task, known);
    if (point && point->is_await) path.push_back({.point = *point, .is_shielded = is_shielded});
    is_shielded = is_shielded || is_shielding(*task);
    const bool goes_on = is_shielding(*task) || has_child(*task);
    task = goes_on ? tare::detail::from_link<wait_state>(task->prev) : nullptr;
  }
  return path;
}

}  // namespace tare::sim::detail
