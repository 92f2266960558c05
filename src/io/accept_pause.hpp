#pragma once

// Listeners that found no descriptor or no memory for a connection. They are tried again when the shard has closed a
// descriptor, or after a while; connections stay in the backlog meanwhile.

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

  /// For one more listener, which can then be paused without memory. False if there is none.
  [[nodiscard]] bool reserve() noexcept;
  void begin(io_slot& listener) noexcept;
  /// All of them are tried again.
  void end() noexcept;
  /// The listener is about to be closed.
  void forget(io_slot& listener) noexcept;

  static constexpr std::chrono::milliseconds length{100};

 private:
  struct pause_timer : timer_node {
    accept_pause* of = nullptr;
  };

  reactor& reactor_;
  pause_timer* timer_;  ///< in the arena, where the wheel's links reach
  std::vector<link> paused_;
};

}  // namespace tare::detail
