#pragma once

// The code of a function or a block.

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

namespace tare::inspect {

/// DW_AT_low_pc and DW_AT_high_pc, or DW_AT_ranges, unchanged; empty if they cannot be read.
[[nodiscard]] llvm::DWARFAddressRangesVector address_ranges(const llvm::DWARFDie& die);

}  // namespace tare::inspect
