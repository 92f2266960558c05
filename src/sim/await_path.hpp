#pragma once

// Where a suspended task waits: one suspension point for each of its frames.

#include <tare/await_table.hpp>
#include <tare/detail/wait_state.hpp>

#include <vector>

namespace tare::sim::detail {

/// From the task's first frame down to the one that waits, or to a `shield`, at which cancellation stops. Only awaits
/// whose line the table knows.
[[nodiscard]] std::vector<suspension_point> await_path(const tare::detail::wait_state& root, const await_table& known);

}  // namespace tare::sim::detail
