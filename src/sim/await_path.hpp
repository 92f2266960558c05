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

}  // namespace tare::sim::detail
