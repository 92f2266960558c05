#pragma once

// The condition of a branch, a conditional move or a set instruction.

#include <cassert>
#include <cstdint>

namespace tare::inspect {

/// In the order of the encoding, where each odd number negates the one before it.
enum class condition : std::uint8_t {
  overflow,
  no_overflow,
  below,
  not_below,
  equal,
  not_equal,
  not_above,
  above,
  negative,
  not_negative,
  even_parity,
  odd_parity,
  less,
  not_less,
  not_greater,
  greater,
};
inline constexpr int condition_count = 16;
static_assert(static_cast<int>(condition::greater) + 1 == condition_count, "the encoding has four bits");

/// The condition with this number in the encoding, which must be one of the 16.
[[nodiscard]] inline condition condition_from(std::int64_t encoding) {
  assert(encoding >= 0 && encoding < condition_count && "the decoder yields the four bits of the encoding");
  return static_cast<condition>(encoding & (condition_count - 1));
}

}  // namespace tare::inspect
