#include "inspect/machine/x86_64.hpp"

#include <stdexcept>
#include <string>

// What LLVM's TargetSelect.h would declare for all targets at once; only this one is linked.
extern "C" {
void LLVMInitializeX86TargetInfo();    // NOLINT(readability-identifier-naming)
void LLVMInitializeX86TargetMC();      // NOLINT(readability-identifier-naming)
void LLVMInitializeX86Disassembler();  // NOLINT(readability-identifier-naming)
}

namespace tare::inspect {

const llvm::Triple& x86_64_triple() {
  static const llvm::Triple triple("x86_64-unknown-linux-gnu");
  return triple;
}

const llvm::Target& x86_64_target() {
  static const llvm::Target& target = [] -> const llvm::Target& {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86Disassembler();
    std::string problem;
    const llvm::Target* found = llvm::TargetRegistry::lookupTarget(x86_64_triple(), problem);
    if (found == nullptr) throw std::runtime_error("LLVM was built without x86-64: " + problem);
    return *found;
  }();
  return target;
}

std::unique_ptr<const llvm::MCSubtargetInfo> x86_64_features() {
  return std::unique_ptr<const llvm::MCSubtargetInfo>(x86_64_target().createMCSubtargetInfo(x86_64_triple(), "", ""));
}

}  // namespace tare::inspect
