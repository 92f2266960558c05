#pragma once

// An entry of the timer wheel that is not a sleeping task: calls a function when it expires.

#include <tare/detail/wait_state.hpp>

#include <cstdint>

namespace tare::detail {

struct alignas(8) timer_node : wait_state {
  timer_node() noexcept { set_parent(parent_kind::timer, no_link); }

  /// Called on the shard whose wheel contained the node, after the node has been removed.
  void (*expired)(timer_node& self) noexcept = nullptr;
};

/// Inserts the node, which must not be in a wheel, into the current shard's wheel. The time counts from now or slightly
/// later. Returns the deadline.
std::int64_t arm(timer_node& timer, std::int64_t nanoseconds) noexcept;
/// The same, until a time of the shard's clock.
void arm_at(timer_node& timer, std::int64_t deadline) noexcept;
/// Removes the node if it is in a wheel. Call it on the same shard.
void disarm(timer_node& timer) noexcept;

}  // namespace tare::detail
