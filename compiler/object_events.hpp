#pragma once

// What the instructions of a coroutine do to its objects in memory.

#include <llvm/ADT/ArrayRef.h>
#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Instructions.h>

#include <cstdint>

namespace tare::compiler {

struct object_event {
  enum class kind : std::uint8_t {
    begin,      ///< of its lifetime: its content is undefined
    end,        ///< of its lifetime
    read,       ///< of part of it, through a pointer that is known to point there
    write,      ///< of some of it
    overwrite,  ///< of all of it
    leak,       ///< its address escapes
  };
  kind what = kind::leak;
  unsigned object = 0;  ///< which of the objects
};

class object_events {
 public:
  object_events(const llvm::Function& function, llvm::ArrayRef<llvm::AllocaInst*> objects);

  [[nodiscard]] llvm::ArrayRef<object_event> at(const llvm::Instruction& instruction) const;

 private:
  void follow(const llvm::AllocaInst& object, unsigned number);

  const llvm::DataLayout& layout_;
  llvm::DenseMap<const llvm::Instruction*, llvm::SmallVector<object_event, 2>> events_;
};

}  // namespace tare::compiler
