#pragma once

// Checks of what LLVM's iterators over symbols and relocations assume.

#include <llvm/Object/ELFObjectFile.h>

#include <optional>
#include <string>

namespace tare::inspect {

/// What is wrong with a 64-bit little-endian file's tables: one reaches beyond the end of the file, has entries of
/// another size than it should, or names a section that does not exist. Nothing if they can be walked through.
[[nodiscard]] std::optional<std::string> damage_of(const llvm::object::ELFObjectFileBase& file);

}  // namespace tare::inspect
