#pragma once

// The record of one coroutine, made in two steps, because LLVM's CoroSplit decides the layout in between.
//
// Before it the coroutine is one function, so liveness and names are read then. Afterwards the same function still has
// all of its instructions, but with the frame's fields in place of the variables, which gives the offsets. So they are
// those of the actual frame, and nothing is changed to get them.

#include "compiler/object_states.hpp"

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/ValueHandle.h>
#include <llvm/Support/JSON.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tare::compiler {

class coroutine_record {
 public:
  /// Constructed for a coroutine that CoroSplit is about to split.
  explicit coroutine_record(llvm::Function& function);

  /// Call it after the split. Empty if it was not split after all, or if the offsets cannot be determined.
  [[nodiscard]] std::optional<llvm::json::Value> finish();

 private:
  struct name {
    std::string text;
    unsigned line = 0;  ///< of its declaration
    friend auto operator<=>(const name&, const name&) = default;
  };
  struct use {
    llvm::WeakVH by;
    unsigned operand = 0;
  };
  struct object {
    std::uint64_t bytes = 0;
    std::vector<name> names;
    std::vector<use> uses;
  };
  struct value {
    llvm::WeakVH what;
    std::vector<name> names;
  };
  struct suspension {
    std::string file;  ///< empty: the coroutine's own
    unsigned line = 0;
    bool final = false;
    llvm::WeakVH result_used_by;  ///< still exists when the suspension itself does not
  };
  class frame_reader;

  void find_objects(llvm::Function& function);
  void find_suspensions(llvm::Function& function);
  void find_names(llvm::Function& function);
  [[nodiscard]] std::vector<std::optional<std::uint64_t>> indices(const frame_reader& frame) const;

  llvm::WeakVH function_;
  llvm::SmallVector<llvm::AllocaInst*, 8> allocas_;        ///< until CoroSplit
  llvm::SmallVector<llvm::CoroSuspendInst*, 8> suspends_;  ///< until CoroSplit
  std::vector<object> objects_;
  std::vector<value> values_;
  std::vector<suspension> suspensions_;
  std::vector<std::vector<object_state>> states_;  ///< by suspension, then by object
};

}  // namespace tare::compiler
