#pragma once

// Combines what the compiler recorded about a coroutine with what the machine code shows. Internal to inspect/.
//
// The compiler saw lifetimes and what calls do with a pointer, so it knows best which objects are needed; the machine
// code was optimized further afterwards. A byte of an object is dead if either source proves it, live if either has
// found a use, and held otherwise. For bytes that the compiler did not record, the machine code decides.

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/compiler_record.hpp"
#include "inspect/coroutine/variables.hpp"

namespace tare::inspect {

/// The variables, and those whose place in the frame the compiler recorded.
[[nodiscard]] std::vector<scoped_variable> with_recorded_variables(std::vector<scoped_variable> variables,
                                                                   const compiler_record& recorded,
                                                                   const frame_source& source,
                                                                   const std::vector<frame_field>& fields);

/// The awaits, with the state and the name of the frame's bytes updated by what the compiler recorded.
[[nodiscard]] std::vector<found_await> with_recorded_states(std::vector<found_await> awaits,
                                                            const compiler_record& recorded,
                                                            const std::vector<scoped_variable>& variables);

}  // namespace tare::inspect
