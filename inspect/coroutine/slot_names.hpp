#pragma once

// Finds names for the fields of an optimized frame for which the debug information has no variable. Internal to
// inspect/.
//
// clang's optimizer names the frame's fields after LLVM types and drops the locations of most variables. Two traces
// remain. First, a value is in a register while it is stored into the frame or loaded from it, and the debug
// information says which variable the register holds. Second, an object whose address is taken is in a field of its
// own type, which is used between its declaration and the end of its scope.

#include "inspect/coroutine/variables.hpp"

#include <vector>

namespace tare::inspect {

struct named_slots {
  std::vector<scoped_variable> variables;  ///< with those found this way
  std::vector<frame_field> fields;         ///< all; those without a variable have a readable type
};

[[nodiscard]] named_slots name_slots(const unit_context& unit, const frame_source& source,
                                     std::vector<scoped_variable> variables, std::vector<frame_field> fields);

}  // namespace tare::inspect
