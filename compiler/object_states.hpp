#pragma once

// Which objects of a coroutine are still needed at each suspension.
//
// Computed while the coroutine is still one function, just before LLVM splits it. At that point lifetimes are marked,
// calls declare what they do with a pointer, and no address is hidden in registers yet. Later uses of an object are
// known exactly; an object whose address has escaped is held until its lifetime ends, because anything may be done to
// it from outside.

#include "compiler/object_events.hpp"

#include <llvm/Transforms/Coroutines/CoroInstr.h>

#include <vector>

namespace tare::compiler {

enum class object_state : char {
  live = 'l',  ///< read later, when resumed or destroyed
  held = 'h',  ///< its address has escaped, and its lifetime continues
  dead = 'd',  ///< not used any more, or not yet in use
};

/// Indexed by suspension, then by object.
[[nodiscard]] std::vector<std::vector<object_state>> states_at(llvm::Function& function,
                                                               llvm::ArrayRef<llvm::AllocaInst*> objects,
                                                               llvm::ArrayRef<llvm::CoroSuspendInst*> suspensions);

}  // namespace tare::compiler
