#pragma once

// The time limits of a shard's descriptors, one for reading and one for writing each.
//
// They are moved with every request and seldom come, so they are no timers: setting one is a store in the slot. One
// timer for all goes off when the earliest may have come, and looks through the slots.
//
// A deadline is a point of time in units of an eighth of a second, its low 24 bits: what is compared is the distance
// from the present, which is at most 13 days in either direction. Limits that are longer never end.

#include "io/slot.hpp"

#include <tare/detail/timer_node.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tare::detail {

class deadline_sweep {
 public:
  /// Throws std::bad_alloc.
  explicit deadline_sweep(reactor& of);
  ~deadline_sweep();
  deadline_sweep(const deadline_sweep&) = delete;
  deadline_sweep& operator=(const deadline_sweep&) = delete;

  /// nullopt: never. Takes back one that has passed.
  void set(io_slot& slot, io_direction of, std::optional<std::chrono::nanoseconds> from_now) noexcept;

  /// Lets the deadlines for reading pass of the descriptors that are waited for to become readable and whose deadlines
  /// come first.
  std::size_t expire_first(std::size_t most) noexcept;

  /// 2^27 ns, an eighth of a second.
  static constexpr unsigned shift = 27;
  static constexpr std::int64_t longest = (std::int64_t{1} << 23) - 2;  ///< in units

 private:
  struct sweep_timer : timer_node {
    deadline_sweep* of = nullptr;
  };

  [[nodiscard]] std::int64_t present() noexcept;
  void arm_at(std::int64_t unit) noexcept;
  void sweep() noexcept;
  void expire(io_slot& slot, io_direction in) noexcept;

  reactor& reactor_;
  sweep_timer* timer_;  ///< in the arena, where the wheel's links reach
  std::int64_t next_ = 0;
};

}  // namespace tare::detail
