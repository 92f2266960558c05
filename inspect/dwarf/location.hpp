#pragma once

// The location of a variable, given the known state of the machine at an instruction.

#include "inspect/machine/value.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace tare::inspect {

/// A part of a variable that is in memory.
struct located_piece {
  value address;
  std::uint64_t first_byte = 0;  ///< of the variable
  std::uint64_t bytes = 0;       ///< 0: all of it
};

/// The parts of the variable in memory, without parts in registers and constants.
[[nodiscard]] std::vector<located_piece> locate(llvm::ArrayRef<std::uint8_t> expression, const machine_state& state,
                                                const std::optional<value>& frame_base, std::uint8_t address_bytes);

/// DW_AT_frame_base of a function.
[[nodiscard]] std::optional<value> frame_base_of(const llvm::DWARFDie& function, const machine_state& state);

/// A register by its DWARF number for x86-64.
[[nodiscard]] std::int8_t register_of_dwarf(std::uint64_t number);

}  // namespace tare::inspect
