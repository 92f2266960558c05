#pragma once

// The deadlines of a shard's descriptors: one for reading and one for writing each.
//
// Every request moves them and they seldom expire, so they are not timers: setting one is a store in the slot. A single
// timer expires when the earliest deadline may have passed, and scans the slots.
//
// A deadline is the low 24 bits of a time in units of an eighth of a second. Comparisons use the distance from the
// present, which is at most 13 days in either direction. Longer deadlines never expire.

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

  /// nullopt: never. Also clears an expired deadline.
  void set(io_slot& slot, io_direction of, std::optional<std::chrono::nanoseconds> from_now) noexcept;

  /// Expires the read deadlines of the descriptors with a task waiting in `readable`, earliest deadline first.
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
  sweep_timer* timer_;  ///< in the arena, because the wheel links to it
  std::int64_t next_ = 0;
};

}  // namespace tare::detail
