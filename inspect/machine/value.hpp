#pragma once

// The abstract value of a register or a word of memory: one of a few constants, or a distance from a base whose value
// is not known.

#include "inspect/machine/flags.hpp"
#include "inspect/machine/instruction.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace tare::inspect {

/// The name of an unknown value: of an argument, of the result of an instruction, or of values joined from two paths.
using origin = std::uint64_t;
inline constexpr origin first_argument_origin = 1;  ///< rdi when the function was entered
inline constexpr origin stack_origin = 2;           ///< rsp when the function was entered
inline constexpr origin last_fixed_origin = 64;     ///< the other registers when the function was entered

struct constant {
  std::uint64_t value = 0;
  std::uint64_t address = 0;  ///< of the instruction that contains it
  friend bool operator==(const constant&, const constant&) = default;
  friend auto operator<=>(const constant&, const constant&) = default;
};

struct value {
  origin base = 0;                  ///< 0: one of the constants
  std::int64_t offset = 0;          ///< from the base
  std::vector<constant> constants;  ///< sorted

  [[nodiscard]] static value of(origin base, std::int64_t offset = 0) { return {base, offset, {}}; }
  [[nodiscard]] static value of(constant constant) { return {0, 0, {constant}}; }
  [[nodiscard]] bool is_constant() const noexcept { return base == 0; }
  /// Its value, if there is only one.
  [[nodiscard]] std::optional<std::uint64_t> known() const {
    if (base != 0 || constants.empty()) return std::nullopt;
    for (const auto& each : constants) {
      if (each.value != constants.front().value) return std::nullopt;
    }
    return constants.front().value;
  }
  /// Whether it was joined from different values of two paths.
  [[nodiscard]] bool is_meeting() const noexcept { return (base >> 63U) != 0; }
  friend bool operator==(const value&, const value&) = default;
};

/// A word of memory with a known value.
struct cell {
  value content;
  std::uint32_t bytes = 8;
  friend bool operator==(const cell&, const cell&) = default;
};

struct machine_state {
  std::array<value, register_count> registers;
  std::map<std::pair<origin, std::int64_t>, cell> memory;
  flags last;

  /// The state when a function is entered.
  [[nodiscard]] static machine_state at_entry();
  /// Joins the state of another path to the same address. Returns whether that changed this state. `end_soon` speeds up
  /// convergence: sets of constants are then replaced by an unknown value.
  bool join(const machine_state& other, std::uint64_t place, bool end_soon = false);
  [[nodiscard]] const cell* load(const value& address, std::uint32_t bytes) const;
  void store(const value& address, std::uint32_t bytes, value content);
};

}  // namespace tare::inspect
