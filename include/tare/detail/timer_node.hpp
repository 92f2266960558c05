#pragma once

// An entry of the timer wheel that is no sleeping task: calls a function when its time has come.

#include <tare/detail/wait_state.hpp>

namespace tare::detail {

struct alignas(8) timer_node : wait_state {
  timer_node() noexcept { set_parent(parent_kind::timer, no_link); }

  /// Called on the shard whose wheel it was in; the node is out of the wheel by then.
  void (*expired)(timer_node& self) noexcept = nullptr;
};

}  // namespace tare::detail
