#pragma once

// Pointers that are used after their value is no longer known. Internal to inspect/machine/.

#include "inspect/machine/function_flow.hpp"
#include "inspect/machine/interpreter.hpp"
#include "inspect/machine/memory_access.hpp"

#include <cstddef>
#include <vector>

namespace tare::inspect {

struct lost_pointer {
  std::size_t instruction_index = 0;  ///< where it was last known
  memory_access access;
};

/// A pointer that is lost where paths join may be used by the code that follows: it counts as passed where it is lost.
[[nodiscard]] std::vector<lost_pointer> find_lost_pointers(const function_flow& flow, interpreter& machine);

}  // namespace tare::inspect
