#pragma once

// The variables of a function, each with the code in which it is in scope.

#include "inspect/machine/function_flow.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <functional>
#include <vector>

namespace tare::inspect {

/// Called for each variable and parameter of a function and of the blocks and inlined calls in it.
using variable_visitor =
    std::function<void(const llvm::DWARFDie& variable, const std::vector<code_range>& scope, bool inlined)>;
/// Whether an inlined call is the function's own body.
using body_test = std::function<bool(const llvm::DWARFDie& call)>;

void for_each_variable(const llvm::DWARFDie& function, const std::vector<code_range>& scope,
                       const variable_visitor& visit, const body_test& is_body = {});

}  // namespace tare::inspect
