#pragma once

// Relocates the sections of an object file, as a linker would. Internal to inspect/object/.

#include <llvm/Object/ELFObjectFile.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

class relocator {
 public:
  using section_addresses = std::unordered_map<std::uint64_t, std::uint64_t>;  ///< by index

  /// Imported symbols get addresses from `first_import` on.
  relocator(const llvm::object::ELFObjectFileBase& file, const section_addresses& addresses, std::uint64_t first_import)
      : file_(file), addresses_(addresses), next_import_(first_import) {}

  /// The content that the relocations of `section`, which has a list of them, apply to.
  struct target {
    std::uint64_t address = 0;
    std::span<std::uint8_t> content;
  };
  using find_target = std::function<std::optional<target>(const llvm::object::SectionRef&)>;
  /// Applies all that are known; others are left out.
  void apply(const find_target& find);

  /// The names of imported symbols, by the addresses that they were given.
  [[nodiscard]] std::map<std::uint64_t, std::string> imports() && { return std::move(imports_); }

 private:
  void apply(const llvm::object::ELFRelocationRef& relocation, const target& to);
  [[nodiscard]] std::optional<std::uint64_t> address_of(const llvm::object::SymbolRef& symbol);

  const llvm::object::ELFObjectFileBase& file_;
  const section_addresses& addresses_;
  std::uint64_t next_import_;
  std::unordered_map<std::string, std::uint64_t> import_addresses_;
  std::map<std::uint64_t, std::string> imports_;
};

}  // namespace tare::inspect
