#pragma once

// What the analysis of one unit of debug information needs. Nothing in it is changed. Internal to inspect/.

#include "inspect/coroutine/budget_mark.hpp"
#include "inspect/coroutine/compiler_record.hpp"
#include "inspect/dwarf/line_rows.hpp"
#include "inspect/machine/function_flow.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <span>

namespace tare::inspect {

struct unit_context {
  image& file;
  llvm::DWARFUnit& unit;  ///< the unit with the entries: for split debug information, that of the .dwo file
  const line_rows& lines;
  const disassembler& decoder;
  const landing_pads& pads;
  std::span<const budget_mark> budgets;  ///< of the file
  const compiler_records& records;       ///< what the compiler recorded about the coroutines of the file
  bool liveness = true;
  bool code = true;
};

}  // namespace tare::inspect
