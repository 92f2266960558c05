#pragma once

// Sections of an object file by name. Internal to inspect/object/.

#include <llvm/ADT/StringRef.h>
#include <llvm/Object/ObjectFile.h>

#include <functional>
#include <optional>
#include <string>

namespace tare::inspect {

/// Visits each section of that name.
void for_each_section_named(const llvm::object::ObjectFile& file, llvm::StringRef name,
                            const std::function<void(const llvm::object::SectionRef&)>& visit);
/// The content of the first section of that name that can be read.
[[nodiscard]] std::optional<llvm::StringRef> section_named(const llvm::object::ObjectFile& file, llvm::StringRef name);
/// Whether there is one that is not empty.
[[nodiscard]] bool has_section(const llvm::object::ObjectFile& file, llvm::StringRef name);
/// In hexadecimal; empty if the file has none.
[[nodiscard]] std::string build_id_of(const llvm::object::ObjectFile& file);

}  // namespace tare::inspect
