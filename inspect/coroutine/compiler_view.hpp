#pragma once

// What the compiler wrote down about a coroutine, joined with what the binary says of it. Internal to inspect/.
//
// Both tell truths that hold together. The compiler saw lifetimes and what calls do with a pointer, so it knows best
// which objects are of use; the machine code was optimized further afterwards. A byte of an object is dead if either
// proves it, live if either has seen the use, and held otherwise. Bytes of which the compiler did not write keep what
// the machine code says of them.

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/compiler_record.hpp"
#include "inspect/coroutine/variables.hpp"

namespace tare::inspect {

/// Adds to `variables` those whose place the compiler told.
void add_told_variables(const compiler_record& told, const frame_source& source, const coroutine& of,
                        std::vector<scoped_variable>& variables);

/// Puts the compiler's word on the objects of the frame into the awaits, and under whose name they go there.
void apply_told_states(const compiler_record& told, const std::vector<scoped_variable>& variables,
                       std::vector<found_await>& awaits);

}  // namespace tare::inspect
