#pragma once

// A 4-byte lock for critical sections of a few instructions: the mutex of Drepper, "Futexes Are Tricky" (2011), section
// 5. Never held across a suspension.

#include <atomic>
#include <cstdint>

namespace tare::detail {

template <template <class> class Atomic>
class basic_brief_lock {
 public:
  void lock() noexcept {
    std::uint32_t seen = unlocked;
    if (word_.compare_exchange_strong(seen, locked, std::memory_order_acquire, std::memory_order_relaxed)) return;
    if (seen != contended) seen = word_.exchange(contended, std::memory_order_acquire);
    while (seen != unlocked) {
      word_.wait(contended, std::memory_order_relaxed);
      seen = word_.exchange(contended, std::memory_order_acquire);
    }
  }

  /// May be called on a thread that already holds the lock: returns false.
  [[nodiscard]] bool try_lock() noexcept {
    std::uint32_t seen = unlocked;
    return word_.compare_exchange_strong(seen, locked, std::memory_order_acquire, std::memory_order_relaxed);
  }

  /// After the first instruction another thread may own the lock and destroy it: from then on only its address is used.
  void unlock() noexcept {
    if (word_.exchange(unlocked, std::memory_order_release) == contended) word_.notify_one();
  }

 private:
  static constexpr std::uint32_t unlocked = 0;
  static constexpr std::uint32_t locked = 1;
  static constexpr std::uint32_t contended = 2;

  Atomic<std::uint32_t> word_{unlocked};
};

using brief_lock = basic_brief_lock<std::atomic>;

}  // namespace tare::detail
