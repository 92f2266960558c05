#pragma once

// Arithmetic on partly known values. Internal to inspect/machine/.

#include "inspect/machine/instruction.hpp"
#include "inspect/machine/value.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tare::inspect {

/// The values that one instruction produces: each is unknown, and different from the others.
enum class product : std::uint8_t {
  result,
  vector_register,
  high_byte_read,
  no_operand,
  high_byte_written,
  stored,
  indexed_address,
  segment_address,
  string_destination,
  string_source,
};
/// The names of the values that it leaves in rax and the other registers follow.
inline constexpr origin first_register_product = 16;
inline constexpr origin products_per_instruction = 32;
static_assert(first_register_product + register_count <= products_per_instruction,
              "an instruction's values have different names");
static_assert(static_cast<origin>(product::string_source) < first_register_product);

/// The names of values that instructions produce are above those of the values on entry to a function.
inline constexpr origin first_made_origin = 128;
static_assert(first_made_origin > last_fixed_origin);

[[nodiscard]] constexpr origin first_origin_of(const instruction& insn) noexcept {
  return insn.address * products_per_instruction + first_made_origin;
}

/// A value that is only known by the instruction that produced it.
[[nodiscard]] inline value made_by(const instruction& insn, product which = product::result) {
  return value::of(first_origin_of(insn) + static_cast<origin>(which));
}

/// The same for the value that it leaves in a register.
[[nodiscard]] inline value made_in_register(const instruction& insn, int number) {
  return value::of(first_origin_of(insn) + first_register_product + static_cast<origin>(number));
}

/// Marks the name of a value that was loaded from a table of jump targets.
inline constexpr origin from_table = origin{1} << 62;

/// Whether the uses of a value must be followed as those of a pointer: it is not a constant, an address on the stack,
/// or an entry of a table.
[[nodiscard]] inline bool follows_pointer(const value& content) {
  return !content.is_constant() && content.base != stack_origin && (content.base & from_table) == 0;
}

[[nodiscard]] std::uint64_t width_mask(std::uint32_t bytes);
[[nodiscard]] std::int64_t sign_extended(std::uint64_t number, std::uint32_t bytes);

/// Replaces each of the constants.
template <class F>
void map_constants(value& content, F&& compute) {
  for (auto& each : content.constants) each.value = compute(each.value);
  std::ranges::sort(content.constants);
}

/// Adds a distance to a pointer or a number.
void advance(value& pointer, std::uint64_t distance);

/// The value in this many of its lower bytes.
[[nodiscard]] value truncated(value from, std::uint32_t bytes);

/// Combines each constant of one operand with each of the other, if there are few enough.
template <class F>
[[nodiscard]] std::optional<value> combine(const value& left, const value& right, const instruction& insn,
                                           F&& compute) {
  constexpr std::size_t max_results = 64;
  if (!left.is_constant() || !right.is_constant() || left.constants.empty() || right.constants.empty() ||
      left.constants.size() * right.constants.size() > max_results) {
    return std::nullopt;
  }
  value result;
  for (const auto& a : left.constants) {
    for (const auto& b : right.constants) result.constants.push_back({compute(a.value, b.value), insn.address});
  }
  std::ranges::sort(result.constants);
  const auto [first, last] = std::ranges::unique(result.constants);
  result.constants.erase(first, last);
  return result;
}

}  // namespace tare::inspect
