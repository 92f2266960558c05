#pragma once

// Listeners that found no descriptor or no memory for a connection. They are tried again when the shard has closed a
// descriptor, or after a while; meanwhile connections stay in the backlog.

#include "io/slot.hpp"

#include <tare/detail/timer_node.hpp>

#include <chrono>
#include <vector>

namespace tare::detail {

class accept_pause {
 public:
  /// Throws std::bad_alloc.
  explicit accept_pause(reactor& of);
  ~accept_pause();
  accept_pause(const accept_pause&) = delete;
  accept_pause& operator=(const accept_pause&) = delete;

  /// Reserves memory for one more listener, so that it can be paused without allocating. False if there is none.
  [[nodiscard]] bool reserve() noexcept;
  void begin(io_slot& listener) noexcept;
  /// Retries all of them.
  void end() noexcept;
  /// The listener is about to be closed.
  void forget(io_slot& listener) noexcept;

  static constexpr std::chrono::milliseconds length{100};

 private:
  struct pause_timer : timer_node {
    accept_pause* of = nullptr;
  };

  reactor& reactor_;
  pause_timer* timer_;  ///< in the arena, because the wheel links to it
  std::vector<link> paused_;
};

}  // namespace tare::detail
