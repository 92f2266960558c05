#pragma once

// One ELF file as one address space: its code, its constants, its symbols, and its debug information.
//
// A linked file keeps its own addresses. The sections of a relocatable file (.o) all begin at 0, so they are laid out
// one after the other and relocated, as a linker would do; readers of the code need not distinguish the two. Debug
// information may be in the file itself, in .dwo files or a .dwp beside it, or in a separate file that .gnu_debuglink
// or the build id names.

#include "base/error.hpp"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/Object/ELFObjectFile.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

struct function_symbol {
  std::string_view name;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;  ///< 0 if the symbol does not say
};

class image {
 public:
  image(std::string name, std::unique_ptr<llvm::object::ObjectFile> file);
  ~image();
  image(const image&) = delete;
  image& operator=(const image&) = delete;

  /// The file's path; of a member of an archive "libx.a(member.o)".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const llvm::object::ELFObjectFileBase& file() const noexcept { return *elf_; }
  [[nodiscard]] bool is_relocatable() const noexcept { return elf_->isRelocatableObject(); }
  /// Code for other machines is not read: only sizes and fields are known then, but neither lines nor liveness.
  [[nodiscard]] bool is_x86_64() const noexcept { return elf_->getArch() == llvm::Triple::x86_64; }

  /// Uses the debug information of this file instead of its own, if they belong together.
  base::result<void> use_debug_file(const std::filesystem::path& path);
  /// Looks for a separate debug file where debuggers do, and in `folders`. False if there is none.
  bool find_debug_file(std::span<const std::filesystem::path> folders);

  [[nodiscard]] bool has_debug_information() const;
  [[nodiscard]] llvm::DWARFContext& dwarf();
  /// The entry at an offset into the debug information; not valid if none begins there.
  [[nodiscard]] llvm::DWARFDie entry_at(std::uint64_t offset);
  /// The problems found in the debug information so far; each message once.
  [[nodiscard]] const std::vector<std::string>& dwarf_problems() const noexcept { return problems_; }

  /// Up to `bytes` bytes at an address; fewer at the end of a section, none outside all sections.
  [[nodiscard]] std::span<const std::uint8_t> read(std::uint64_t address, std::uint64_t bytes) const;
  [[nodiscard]] std::uint64_t address_of(const llvm::object::SectionRef& section) const;
  struct section_view {
    std::uint64_t address = 0;
    std::span<const std::uint8_t> content;
  };
  /// The address and content of each loaded section with this name; several may have the same name.
  [[nodiscard]] std::vector<section_view> sections_named(std::string_view name) const;
  /// The contents of sections that are not in memory; those of the separate debug file, where the file itself has none.
  [[nodiscard]] std::vector<std::string_view> unloaded_sections_named(std::string_view name) const;
  /// In hexadecimal; empty if the file has none.
  [[nodiscard]] std::string build_id() const;
  /// Whether nothing writes there while the program runs.
  [[nodiscard]] bool is_constant(std::uint64_t address) const;

  /// Sorted by address.
  [[nodiscard]] std::span<const function_symbol> functions() const noexcept { return functions_; }
  /// False if the file was linked and then stripped, of all symbols or of those of local functions, which the parts of
  /// coroutines are: what has no symbol may be there all the same.
  [[nodiscard]] bool has_symbols() const noexcept { return is_relocatable() || has_local_functions_; }
  /// The one that covers the address.
  [[nodiscard]] const function_symbol* function_at(std::uint64_t address) const;
  [[nodiscard]] const function_symbol* function_named(std::string_view name) const;
  /// The name of a call's target, imported functions included; empty if not known.
  [[nodiscard]] std::string_view name_at(std::uint64_t address) const;

 private:
  struct section;
  class addresses;

  void lay_out();
  void relocate();
  void read_symbols(const llvm::object::ELFObjectFileBase& from);
  void read_imports();
  [[nodiscard]] const section* section_at(std::uint64_t address) const;

  std::string name_;
  std::unique_ptr<llvm::object::ObjectFile> object_;
  const llvm::object::ELFObjectFileBase* elf_;
  std::unique_ptr<llvm::object::OwningBinary<llvm::object::ObjectFile>> debug_file_;
  std::unique_ptr<addresses> addresses_;  ///< where LLVM finds the sections of a relocatable file
  std::unique_ptr<llvm::DWARFContext> dwarf_;
  std::vector<std::string> problems_;
  std::vector<section> sections_;  ///< those in memory, by address
  std::vector<function_symbol> functions_;
  bool has_local_functions_ = false;  ///< every linked program has some, of the code that starts it
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::map<std::uint64_t, std::string> imports_;
};

}  // namespace tare::inspect
