#pragma once

// What a class would save if its members were declared in another order.

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstdint>

namespace tare::inspect {

/// The bytes by which the type is larger than with its members in the order of their alignment, the strictest first;
/// of an array that of all elements. 0 where that is not certain: the members' places must be those that the rules for
/// plain classes give (no bases, no virtual functions, no bit-fields, not packed), or nothing is said.
[[nodiscard]] std::uint64_t bytes_saved_by_order(llvm::DWARFDie type);

/// Its class, behind aliases and arrays; not valid for other types.
[[nodiscard]] llvm::DWARFDie class_of(llvm::DWARFDie type);

}  // namespace tare::inspect
