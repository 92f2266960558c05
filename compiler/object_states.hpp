#pragma once

// Which objects of a coroutine are still of use where it is suspended.
//
// It is asked where the coroutine still is one function, just before LLVM splits it. There lifetimes are marked, calls
// say what they do with a pointer, and no address has been lost in registers yet. What an object is used for later is
// seen exactly; what was leaked is held until its lifetime ends, since anything may be done to it from outside.

#include "compiler/object_events.hpp"

#include <llvm/Transforms/Coroutines/CoroInstr.h>

#include <vector>

namespace tare::compiler {

enum class object_state : char {
  live = 'l',  ///< read later, on the way of resuming or of destroying
  held = 'h',  ///< leaked, and its lifetime goes on
  dead = 'd',  ///< not used any more, or not yet in use
};

/// By suspension, then by object.
[[nodiscard]] std::vector<std::vector<object_state>> states_at(llvm::Function& of,
                                                               llvm::ArrayRef<llvm::AllocaInst*> objects,
                                                               llvm::ArrayRef<llvm::CoroSuspendInst*> suspensions);

}  // namespace tare::compiler
