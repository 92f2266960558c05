#pragma once

// The bytes that a class would save with another order of its members.

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstdint>

namespace tare::inspect {

/// The bytes by which the type is larger than with its members ordered by alignment, the strictest first; for an array,
/// the sum over all elements. 0 if that is not certain: the offsets of the members must follow the rules for plain
/// classes (no bases, no virtual functions, no bit-fields, not packed).
[[nodiscard]] std::uint64_t bytes_saved_by_order(llvm::DWARFDie type);

/// The class of the type, without aliases and arrays; not valid for other types.
[[nodiscard]] llvm::DWARFDie class_of(llvm::DWARFDie type);

}  // namespace tare::inspect
