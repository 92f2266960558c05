#pragma once

// Pointers that are used although it is no longer known what they are. Internal to inspect/machine/.

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

/// A pointer that is lost where paths join is used by what follows: it counts as passed on where it is lost.
[[nodiscard]] std::vector<lost_pointer> find_lost_pointers(const function_flow& flow, interpreter& machine);

}  // namespace tare::inspect
