#pragma once

// The value of an object as readable text, from its bytes and its type.

#include "inspect/memory/address_space.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstddef>
#include <span>
#include <string>

namespace tare::inspect {

/// Numbers, names of enumerators, addresses, the text of std::string and char arrays, and the members of classes in
/// braces. `memory` is used to follow pointers to text. Whatever the bytes and the type are, the text is one short
/// line: deeply nested or long parts are cut with "…". Empty if the type is not known.
[[nodiscard]] std::string value_text(const llvm::DWARFDie& type, std::span<const std::byte> bytes,
                                     const address_space& memory);

}  // namespace tare::inspect
