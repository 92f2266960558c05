#include "inspect/dwarf/source_path.hpp"

#include <llvm/DebugInfo/DWARF/DWARFCompileUnit.h>

#include <filesystem>

namespace tare::inspect {

std::string source_path(std::string_view name, std::string_view folder) {
  const std::filesystem::path file(name);
  const std::filesystem::path base(folder);
  const bool is_replaced = !base.empty() && base.is_relative() && !file.empty() && *file.begin() == *base.begin();
  // Compilers record paths as given, including "..".
  return (is_replaced ? file : base / file).lexically_normal().string();
}

std::string source_path(const llvm::DWARFDebugLine::LineTable& table, std::uint64_t number, std::string_view folder) {
  std::string name;
  if (!table.getFileNameByIndex(number, folder, llvm::DILineInfoSpecifier::FileLineInfoKind::RelativeFilePath, name)) {
    return {};
  }
  return source_path(name, folder);
}

std::string source_path(llvm::DWARFContext& context, std::uint64_t address, std::string_view name) {
  llvm::DWARFUnit* unit = context.getCompileUnitForCodeAddress(address);
  const char* folder = unit == nullptr ? nullptr : unit->getCompilationDir();
  return source_path(name, folder == nullptr ? "" : folder);
}

}  // namespace tare::inspect
