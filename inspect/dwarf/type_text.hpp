#pragma once

// Names and sizes of types, and other properties of entries of the debug information.

#include "inspect/facts/coroutine.hpp"

#include <llvm/DebugInfo/DWARF/DWARFDie.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tare::inspect {

/// "std::vector<int>"; "?" if there is no type.
[[nodiscard]] std::string type_text(llvm::DWARFDie type);

/// 0 if it is not known. Damaged information may contain a cycle, so this looks no deeper than 64 types.
[[nodiscard]] std::uint64_t type_bytes(llvm::DWARFDie type);

/// Its name, also from the entry that it refers to.
[[nodiscard]] std::string_view short_name(const llvm::DWARFDie& die);
[[nodiscard]] std::string_view linkage_name(const llvm::DWARFDie& die);

/// DW_AT_type, also of the entry that it refers to.
[[nodiscard]] llvm::DWARFDie type_of(const llvm::DWARFDie& die);

/// The type behind typedefs, and with `also_const` behind const too; behind so many of them at most.
[[nodiscard]] llvm::DWARFDie without_aliases(llvm::DWARFDie type, bool also_const = false, int most = 16);

/// The offset of the type's entry in the file's debug information, for `image::entry_at`; 0 if it is in a .dwo file or
/// does not exist.
[[nodiscard]] std::uint64_t entry_of(const llvm::DWARFDie& type);

[[nodiscard]] source_line declaration(const llvm::DWARFDie& die);

/// DW_AT_data_member_location.
[[nodiscard]] std::optional<std::uint64_t> member_offset(const llvm::DWARFDie& member);

}  // namespace tare::inspect
