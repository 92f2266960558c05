#pragma once

// The count of a semaphore: the free permits, and whether tasks are waiting, in one word.
//
// While no task waits, taking and adding are one compare-and-swap each. A task that cannot take its permits announces
// itself under the lock that guards the queue. From then on taking fails and adding is refused here, so everything goes
// through the lock until the queue is empty again. Announcing and the last check of the count are one compare-and-swap,
// so an addition either happens before and is seen, or happens after and sees the announcement. (glibc's futex
// semaphore keeps count and waiters in one word for the same reason: Torvald Riegel, 2015, nptl/sem_waitcommon.c.)
//
// `Atomic` is std::atomic except in the test that runs every interleaving (tests/stress).

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tare::detail {

template <template <class> class Atomic>
class basic_permit_count {
 public:
  explicit basic_permit_count(std::size_t permits) noexcept : word_(in_word(permits)) {}

  /// False if there are too few, or if a task waits.
  [[nodiscard]] bool take(std::size_t count) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    do {
      if ((word & somebody_waits) != 0 || word < in_word(count)) return false;
    } while (!word_.compare_exchange_weak(word, word - in_word(count), std::memory_order_acquire,
                                          std::memory_order_relaxed));
    return true;
  }

  /// False if a task waits: then call `add_for_waiters` under the lock.
  [[nodiscard]] bool add(std::size_t count) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    do {
      if ((word & somebody_waits) != 0) return false;
    } while (
        !word_.compare_exchange_weak(word, sum(word, count), std::memory_order_release, std::memory_order_relaxed));
    return true;
  }

  /// Requires the lock. True if the permits have become available and are taken; otherwise the caller must wait.
  [[nodiscard]] bool take_or_announce(std::size_t count) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    for (;;) {
      const bool takes = (word & somebody_waits) == 0 && word >= in_word(count);
      const std::uint64_t next = takes ? word - in_word(count) : word | somebody_waits;
      if (word_.compare_exchange_weak(word, next, std::memory_order_acquire, std::memory_order_relaxed)) return takes;
    }
  }

  /// Requires the lock. From now on `take` and `add` fail.
  void announce() noexcept { word_.fetch_or(somebody_waits, std::memory_order_acq_rel); }

  // The rest requires the lock, and that a task waits. Then only threads that find that a task has stopped waiting also
  // change the word.
  void add_for_waiters(std::size_t count) noexcept {
    std::uint64_t word = word_.load(std::memory_order_relaxed);
    while (!word_.compare_exchange_weak(word, sum(word, count), std::memory_order_acq_rel, std::memory_order_relaxed)) {
    }
  }
  [[nodiscard]] bool take_for_waiter(std::size_t count) noexcept {
    if ((word_.load(std::memory_order_relaxed) & ~somebody_waits) < in_word(count)) return false;
    word_.fetch_sub(in_word(count), std::memory_order_acq_rel);
    return true;
  }
  void nobody_waits() noexcept { word_.fetch_and(~somebody_waits, std::memory_order_acq_rel); }

  [[nodiscard]] std::size_t available() const noexcept { return word_.load(std::memory_order_relaxed) >> 1U; }

 private:
  static constexpr std::uint64_t somebody_waits = 1;
  /// The maximum that the word can hold; larger numbers are clamped.
  static constexpr std::uint64_t max_permits = UINT64_MAX >> 1U;

  [[nodiscard]] static constexpr std::uint64_t in_word(std::size_t count) noexcept {
    return (std::uint64_t{count} < max_permits ? std::uint64_t{count} : max_permits) << 1U;
  }
  [[nodiscard]] static constexpr std::uint64_t sum(std::uint64_t word, std::size_t added) noexcept {
    const std::uint64_t room = (max_permits << 1U) - (word & ~somebody_waits);
    return word + (in_word(added) < room ? in_word(added) : room);
  }

  Atomic<std::uint64_t> word_;
};

using permit_count = basic_permit_count<std::atomic>;

}  // namespace tare::detail
