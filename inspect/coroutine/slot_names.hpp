#pragma once

// Names for the places of an optimized frame whose variables have no location there. Internal to inspect/.
//
// clang's optimizer keeps the frame's fields by the names of LLVM types and drops the locations of most variables. Two
// traces are left. A value that is stored into the frame, or comes from there, is in a register at that moment, and the
// debug information says which variable the register holds. And an object whose address is taken lies in a field of
// its own type, which is used between its declaration and the end of its scope.

#include "inspect/coroutine/variables.hpp"

namespace tare::inspect {

/// Adds to `variables` those that are found so, and gives what is left of the fields a type that can be read.
void name_slots(const unit_context& unit, const frame_source& source, std::vector<scoped_variable>& variables,
                coroutine& into);

}  // namespace tare::inspect
