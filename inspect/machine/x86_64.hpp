#pragma once

// LLVM's description of the one machine whose code is read. Internal to inspect/.

#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/TargetParser/Triple.h>

#include <memory>

namespace tare::inspect {

[[nodiscard]] const llvm::Triple& x86_64_triple();
[[nodiscard]] const llvm::Target& x86_64_target();
[[nodiscard]] std::unique_ptr<const llvm::MCSubtargetInfo> x86_64_features();

}  // namespace tare::inspect
