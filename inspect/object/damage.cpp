#include "inspect/object/damage.hpp"

namespace tare::inspect {
namespace {

namespace object = llvm::object;
using elf_file = object::ELFFile<object::ELF64LE>;

template <class Table>
std::optional<std::string> complaint_about(llvm::Expected<Table> table) {
  if (table) return std::nullopt;
  return llvm::toString(table.takeError());
}

/// Only of tables that are walked through.
std::optional<std::string> damage_of_table(const elf_file& file, const object::ELF64LE::Shdr& section) {
  switch (section.sh_type) {
    case llvm::ELF::SHT_SYMTAB:
    case llvm::ELF::SHT_DYNSYM:
      return complaint_about(file.symbols(&section));
    case llvm::ELF::SHT_RELA:
    case llvm::ELF::SHT_REL:
      if (auto wrong = complaint_about(file.getSection(section.sh_link))) return wrong;
      return section.sh_type == llvm::ELF::SHT_RELA ? complaint_about(file.relas(section))
                                                    : complaint_about(file.rels(section));
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> damage_of(const object::ELFObjectFileBase& file) {
  const auto* elf = llvm::dyn_cast<object::ELF64LEObjectFile>(&file);
  if (elf == nullptr) return std::nullopt;
  auto sections = elf->getELFFile().sections();
  if (!sections) return llvm::toString(sections.takeError());
  for (const auto& each : *sections) {
    if (auto wrong = damage_of_table(elf->getELFFile(), each)) return wrong;
  }
  return std::nullopt;
}

}  // namespace tare::inspect
