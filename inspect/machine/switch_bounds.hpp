#pragma once

// How many entries a table of jump targets has, according to the comparison in front of the jump.

#include "inspect/machine/instruction.hpp"
#include "inspect/machine/value.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace tare::inspect {

/// Sees the instructions from the beginning of straight code to the jump, each with the state before it.
class switch_bounds {
 public:
  void see(const machine_state& before, const instruction& insn);
  /// The number of values that the index of a table can have; empty if nothing limits it.
  [[nodiscard]] std::optional<std::uint64_t> count_of(const value& index) const;

 private:
  struct bound {
    value compared;
    std::uint64_t highest = 0;
  };
  std::optional<bound> last_;                       ///< of the last comparison with a constant
  std::vector<bound> bounds_;                       ///< of those that a jump followed
  std::vector<std::pair<value, value>> multiples_;  ///< a multiple of an index, and the index
};

}  // namespace tare::inspect
