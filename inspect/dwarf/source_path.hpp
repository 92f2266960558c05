#pragma once

// The path of a source file, from its name and the folder in which the compiler ran.

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugLine.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tare::inspect {

/// Compilers record the folder as an absolute path. If it is relative, an option such as -ffile-prefix-map=/home/me=.
/// replaced its beginning, and that of each name that was absolute: such a name, which begins with the same folder, is
/// not relative to the folder.
[[nodiscard]] std::string source_path(std::string_view name, std::string_view folder);

/// The file with this number; empty if the table does not have it.
[[nodiscard]] std::string source_path(const llvm::DWARFDebugLine::LineTable& table, std::uint64_t number,
                                      std::string_view folder);

/// A name that is relative to the folder of the unit with the code at this address.
[[nodiscard]] std::string source_path(llvm::DWARFContext& context, std::uint64_t address, std::string_view name);

}  // namespace tare::inspect
