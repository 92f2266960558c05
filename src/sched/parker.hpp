#pragma once

// Puts a shard's thread to sleep until there is work. One thread parks, any thread unparks; an unpark that comes
// before its park makes that one return at once, so none is lost (the three states of the futex parker in Rust's
// standard library).
//
// `Atomic` and `Wait` are the real ones except in the test that runs every interleaving (tests/sched).

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tare::detail {

/// Blocks while `*word == value`, until woken or `nanoseconds` have passed; may return early.
struct futex {
  static void wait(std::atomic<std::uint32_t>& word, std::uint32_t value,
                   std::optional<std::chrono::nanoseconds> longest) noexcept;
  static void wake(std::atomic<std::uint32_t>& word) noexcept;
};

template <template <class> class Atomic, class Wait>
class basic_parker {
 public:
  void park(std::optional<std::chrono::nanoseconds> longest) noexcept {
    if (state_.fetch_sub(1, std::memory_order_acquire) == notified) return;  // notified -> empty, empty -> parked
    Wait::wait(state_, parked, longest);
    state_.exchange(empty, std::memory_order_acquire);
  }

  void unpark() noexcept {
    if (state_.exchange(notified, std::memory_order_release) == parked) Wait::wake(state_);
  }

 private:
  static constexpr std::uint32_t parked = UINT32_MAX;
  static constexpr std::uint32_t empty = 0;
  static constexpr std::uint32_t notified = 1;

  Atomic<std::uint32_t> state_{empty};
};

using parker = basic_parker<std::atomic, futex>;

}  // namespace tare::detail
