#pragma once

#include <cstdint>

namespace tare::detail {

/// How far a receiver has come, as a number below 2^63, and whether a task waits there. 8 bytes.
class cursor {
 public:
  explicit cursor(std::uint64_t at) noexcept : word_(at << 1U) {}

  [[nodiscard]] std::uint64_t at() const noexcept { return word_ >> 1U; }
  void move_to(std::uint64_t at) noexcept { word_ = at << 1U | (word_ & 1U); }
  [[nodiscard]] bool is_waiting() const noexcept { return (word_ & 1U) != 0; }
  void begin_waiting() noexcept { word_ |= 1U; }
  void end_waiting() noexcept { word_ &= ~std::uint64_t{1}; }

 private:
  std::uint64_t word_;
};

}  // namespace tare::detail
