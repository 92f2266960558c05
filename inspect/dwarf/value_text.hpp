#pragma once

// The value of an object as a person would write it, from its bytes and its type.

#include "inspect/memory/address_space.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstddef>
#include <span>
#include <string>

namespace tare::inspect {

/// Numbers, names of enumerators, addresses, text of std::string and char arrays, and of classes the members in braces.
/// `memory` is where pointers to text lead. Whatever the bytes and the type are, the text is short and one line:
/// what is nested deep or long is cut with "…". Empty where the type says nothing.
[[nodiscard]] std::string value_text(const llvm::DWARFDie& type, std::span<const std::byte> bytes,
                                     const address_space& memory);

}  // namespace tare::inspect
