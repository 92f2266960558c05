#pragma once

// A coroutine as a unit of debug information describes it, before it is analyzed. Internal to inspect/.

#include "inspect/coroutine/part_symbol.hpp"
#include "inspect/coroutine/unit_context.hpp"
#include "inspect/facts/coroutine.hpp"
#include "inspect/machine/function_flow.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

/// One of the functions that a coroutine was split into.
struct frame_function {
  function_role role = function_role::ramp;
  llvm::DWARFDie die;
  std::vector<code_range> ranges;
  std::shared_ptr<function_flow> flow;  ///< shared if two coroutines have the same function; see followed()
  value frame;                          ///< the frame's address in terms of the flow
  bool frame_known = false;
};

struct frame_source {
  std::string linkage_name;
  producer made_by = producer::clang;
  llvm::DWARFDie type;  ///< of the frame; not valid if the compiler did not describe it
  std::vector<frame_function> functions;
  bool optimized = true;  ///< false: not optimized, according to the compiler's recorded options
};

/// The coroutines for which the unit has code.
[[nodiscard]] std::vector<frame_source> find_frame_sources(const unit_context& unit);

/// The name of the coroutine that a function is a part of; empty for other functions.
[[nodiscard]] std::string_view coroutine_of(const llvm::DWARFDie& function);

/// Where the coroutine is declared; line 0 if the debug information does not say it.
[[nodiscard]] source_line declaration_of(const frame_source& source);

}  // namespace tare::inspect
