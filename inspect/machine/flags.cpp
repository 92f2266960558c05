#include "inspect/machine/flags.hpp"

#include "inspect/machine/arithmetic.hpp"

namespace tare::inspect {
namespace {

/// Empty where it is not known.
struct flag_values {
  std::optional<bool> zero;
  std::optional<bool> carry;
  std::optional<bool> negative;
  std::optional<bool> overflow;
};

flag_values of_difference(std::uint64_t left, std::uint64_t right, std::uint32_t bytes) {
  const std::uint64_t result = (left - right) & width_mask(bytes);
  const bool left_negative = sign_extended(left, bytes) < 0;
  const bool negative = sign_extended(result, bytes) < 0;
  return {.zero = result == 0,
          .carry = left < right,
          .negative = negative,
          .overflow = left_negative != (sign_extended(right, bytes) < 0) && negative != left_negative};
}

flag_values of_conjunction(std::uint64_t left, std::uint64_t right, std::uint32_t bytes) {
  const std::uint64_t result = left & right;
  return {.zero = result == 0, .carry = false, .negative = sign_extended(result, bytes) < 0, .overflow = false};
}

flag_values values_of(const flags& last) {
  if (last.what == flags::kind::unknown || !last.left) return {};
  if (last.what != flags::kind::result && !last.right) return {};
  const std::uint64_t left = *last.left & width_mask(last.bytes);
  const std::uint64_t right = last.right.value_or(0) & width_mask(last.bytes);
  switch (last.what) {
    case flags::kind::difference:
      return of_difference(left, right, last.bytes);
    case flags::kind::conjunction:
      return of_conjunction(left, right, last.bytes);
    case flags::kind::result:
      // Whether it carried or overflowed is not known.
      return {.zero = left == 0, .carry = {}, .negative = sign_extended(left, last.bytes) < 0, .overflow = {}};
    case flags::kind::bit:
      return {
          .zero = {}, .carry = ((left >> (right & (last.bytes * 8U - 1U))) & 1U) != 0, .negative = {}, .overflow = {}};
    case flags::kind::unknown:
      break;
  }
  return {};
}

std::optional<bool> either(std::optional<bool> left, std::optional<bool> right) {
  if (!left || !right) return std::nullopt;
  return *left || *right;
}

std::optional<bool> differ(std::optional<bool> left, std::optional<bool> right) {
  if (!left || !right) return std::nullopt;
  return *left != *right;
}

}  // namespace

std::optional<bool> decide(const flags& last, condition wanted) {
  const flag_values known = values_of(last);
  std::optional<bool> holds;
  switch (static_cast<condition>(static_cast<unsigned>(wanted) & ~1U)) {
    case condition::overflow:
      holds = known.overflow;
      break;
    case condition::below:
      holds = known.carry;
      break;
    case condition::equal:
      holds = known.zero;
      break;
    case condition::not_above:
      holds = either(known.carry, known.zero);
      break;
    case condition::negative:
      holds = known.negative;
      break;
    case condition::less:
      holds = differ(known.negative, known.overflow);
      break;
    case condition::not_greater:
      holds = either(known.zero, differ(known.negative, known.overflow));
      break;
    default:
      break;  // parity
  }
  if (!holds) return std::nullopt;
  const bool negated = (static_cast<unsigned>(wanted) & 1U) != 0;
  return *holds != negated;
}

}  // namespace tare::inspect
