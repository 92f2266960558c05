#pragma once

// Puts a shard's thread to sleep until there is work. One thread parks, any thread unparks. An unpark before the park
// makes that park return immediately, so none is lost (the three states of the futex parker in Rust's standard
// library).
//
// `Atomic` and `Wait` are the real implementations, except in the test that runs every interleaving (tests/sched).

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
    park_in([&] { Wait::wait(state_, parked, longest); });
  }

  /// Calls `sleep` unless there was an unpark since the last park. The `rouse` that ends the sleep sees everything the
  /// parking thread wrote before.
  template <class Sleep>
  void park_in(Sleep sleep) noexcept {
    if (!begin_sleep()) return;
    sleep();
    end_sleep();
  }

  /// For a thread that sleeps elsewhere, until it calls `end_sleep`: false if there was an unpark since the last sleep,
  /// which has then not begun. The `rouse` that ends the sleep sees everything the thread wrote before.
  [[nodiscard]] bool begin_sleep() noexcept {
    return state_.fetch_sub(1, std::memory_order_acq_rel) != notified;  // notified -> empty, empty -> parked
  }
  /// Also if no sleep has begun: forgets an unpark, so look for work afterwards.
  void end_sleep() noexcept { state_.exchange(empty, std::memory_order_acquire); }

  void unpark() noexcept {
    unpark_by([&] { Wait::wake(state_); });
  }

  /// Calls `rouse` if the other thread sleeps or is about to.
  template <class Rouse>
  void unpark_by(Rouse rouse) noexcept {
    if (state_.exchange(notified, std::memory_order_acq_rel) == parked) rouse();
  }

  /// For `rouse`, if the sleeper is in `park`.
  void rouse() noexcept { Wait::wake(state_); }

 private:
  static constexpr std::uint32_t parked = UINT32_MAX;
  static constexpr std::uint32_t empty = 0;
  static constexpr std::uint32_t notified = 1;

  Atomic<std::uint32_t> state_{empty};
};

using parker = basic_parker<std::atomic, futex>;

}  // namespace tare::detail
