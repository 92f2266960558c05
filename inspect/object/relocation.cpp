#include "inspect/object/relocation.hpp"

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Support/Error.h>

#include <cstddef>
#include <cstring>

namespace tare::inspect {
namespace {

namespace object = llvm::object;

constexpr std::uint64_t import_bytes = 16;

struct relocation_form {
  std::size_t bytes = 4;
  bool relative = false;
  bool through_table = false;  ///< of global offsets
};

std::optional<relocation_form> form_of(std::uint64_t type) {
  switch (type) {
    case llvm::ELF::R_X86_64_64:
      return relocation_form{.bytes = 8};
    case llvm::ELF::R_X86_64_32:
    case llvm::ELF::R_X86_64_32S:
      return relocation_form{};
    case llvm::ELF::R_X86_64_PC64:
      return relocation_form{.bytes = 8, .relative = true};
    case llvm::ELF::R_X86_64_PC32:
    case llvm::ELF::R_X86_64_PLT32:
      return relocation_form{.relative = true};
    // There is no global offset table here: references through it refer to the symbol itself.
    case llvm::ELF::R_X86_64_GOTPCREL:
    case llvm::ELF::R_X86_64_GOTPCRELX:
    case llvm::ELF::R_X86_64_REX_GOTPCRELX:
      return relocation_form{.relative = true, .through_table = true};
    default:
      return std::nullopt;
  }
}

}  // namespace

void relocator::apply(const find_target& find) {
  for (const auto& reference : file_.sections()) {
    auto section = reference.getRelocatedSection();
    if (!section) {
      llvm::consumeError(section.takeError());
      continue;
    }
    if (*section == file_.section_end()) continue;
    const auto to = find(**section);
    if (!to) continue;
    for (const auto& entry : reference.relocations()) apply(object::ELFRelocationRef(entry), *to);
  }
}

void relocator::apply(const object::ELFRelocationRef& relocation, const target& to) {
  auto addend = relocation.getAddend();
  if (!addend) {
    llvm::consumeError(addend.takeError());
    return;
  }
  if (relocation.getSymbol() == file_.symbol_end()) return;
  const auto symbol = address_of(*relocation.getSymbol());
  const auto form = form_of(relocation.getType());
  const std::uint64_t offset = relocation.getOffset();
  if (!symbol || !form || offset > to.content.size() || to.content.size() - offset < form->bytes) return;
  std::uint64_t word = *symbol + static_cast<std::uint64_t>(*addend);
  if (form->relative) word -= to.address + offset;
  // "mov rax, [symbol@GOTPCREL]" becomes "lea rax, [symbol]", as linkers make it.
  constexpr std::uint8_t mov = 0x8b;
  constexpr std::uint8_t lea = 0x8d;
  if (form->through_table && offset >= 2 && to.content[offset - 2] == mov) to.content[offset - 2] = lea;
  std::memcpy(to.content.data() + offset, &word, form->bytes);
}

std::optional<std::uint64_t> relocator::address_of(const object::SymbolRef& symbol) {
  auto where = symbol.getSection();
  auto address = symbol.getAddress();
  auto name = symbol.getName();
  if (!where || !address || !name) {
    if (!where) llvm::consumeError(where.takeError());
    if (!address) llvm::consumeError(address.takeError());
    if (!name) llvm::consumeError(name.takeError());
    return std::nullopt;
  }
  if (*where != file_.section_end()) {
    const auto base = addresses_.find((*where)->getIndex());
    if (base == addresses_.end()) return std::nullopt;
    return *address + base->second - (*where)->getAddress();
  }
  const auto [place, is_new] = import_addresses_.try_emplace(name->str(), next_import_);
  if (is_new) {
    imports_.emplace(next_import_, name->str());
    next_import_ += import_bytes;
  }
  return place->second;
}

}  // namespace tare::inspect
