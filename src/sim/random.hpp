#pragma once

// Random numbers that depend only on a seed: splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
// Generators", 2014). Each purpose has its own sequence, so that one more number for one purpose changes no other.

#include <cstdint>

namespace tare::sim::detail {

class random_sequence {
 public:
  random_sequence(std::uint64_t seed, std::uint64_t purpose) noexcept
      : state_(seed * 0x9e3779b97f4a7c15U ^ purpose * 0xd1b54a32d192ed03U) {
    (void)next();
  }

  [[nodiscard]] std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31U);
  }
  /// At least 0 and below `count`, which is not 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t count) noexcept { return next() % count; }
  /// True once in `times`; never if that is 0.
  [[nodiscard]] bool once_in(std::uint64_t times) noexcept { return times != 0 && below(times) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace tare::sim::detail
