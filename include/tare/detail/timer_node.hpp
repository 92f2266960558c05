#pragma once

// An entry of the timer wheel that is no sleeping task: calls a function when its time has come.

#include <tare/detail/wait_state.hpp>

#include <cstdint>

namespace tare::detail {

struct alignas(8) timer_node : wait_state {
  timer_node() noexcept { set_parent(parent_kind::timer, no_link); }

  /// Called on the shard whose wheel it was in; the node is out of the wheel by then.
  void (*expired)(timer_node& self) noexcept = nullptr;
};

/// Puts the node, which is not in a wheel, into the current shard's. The time counts from now, or a moment later.
void arm(timer_node& timer, std::int64_t nanoseconds) noexcept;
/// Takes it out, if it is in one. On the same shard.
void disarm(timer_node& timer) noexcept;

}  // namespace tare::detail
