#pragma once

// Where a suspended task waits: one suspension point for each of its frames.

#include <tare/await_table.hpp>
#include <tare/detail/wait_state.hpp>

#include <vector>

namespace tare::sim::detail {

struct awaited_line {
  suspension_point point;
  bool is_shielded = false;  ///< cancellation of the task does not reach it
};

/// From the task's first frame down to the one that waits. Only awaits whose line the table knows.
[[nodiscard]] std::vector<awaited_line> await_path(const tare::detail::wait_state& root, const await_table& known);

/// A task that another one awaits under a shield, and that its owner can cancel by itself, such as the handler of a
/// request; nullptr if there is none.
[[nodiscard]] tare::detail::wait_state* task_under_shield(tare::detail::wait_state& root) noexcept;

}  // namespace tare::sim::detail
