#include "inspect/coroutine/rust_vtables.hpp"

#include "inspect/coroutine/rust.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>
#include <llvm/Support/DataExtractor.h>

#include <optional>
#include <string_view>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

/// rustc names it "<T as core::future::future::Future>::{vtable}", where T may be anything, another such name included.
bool is_of_future(std::string_view name) {
  constexpr std::string_view end = ">::{vtable}";
  constexpr std::string_view as = " as ";
  constexpr std::string_view trait = "core::future::future::Future";
  if (!name.starts_with('<') || !name.ends_with(end)) return false;
  name = name.substr(1, name.size() - 1 - end.size());
  int depth = 0;
  for (std::size_t index = 0; index < name.size(); ++index) {
    const char letter = name[index];
    if (letter == '<' || letter == '(' || letter == '[') ++depth;
    if (letter == ')' || letter == ']' || (letter == '>' && (index == 0 || name[index - 1] != '-'))) --depth;
    if (depth != 0 || !name.substr(index).starts_with(as)) continue;
    const std::string_view its = name.substr(index + as.size());
    // Some versions write the trait's arguments, too.
    return its.starts_with(trait) && (its.size() == trait.size() || its[trait.size()] == '<');
  }
  return false;
}

/// Of a static object: DW_OP_addr alone.
std::optional<std::uint64_t> static_address(const unit_context& unit, const llvm::DWARFDie& variable) {
  const auto location = variable.find(dwarf::DW_AT_location);
  const auto block = location ? location->getAsBlock() : std::nullopt;
  if (!block) return std::nullopt;
  const llvm::DataExtractor bytes(*block, true, unit.unit.getAddressByteSize());
  std::uint64_t position = 0;
  const auto operation = bytes.getU8(&position);
  if (operation == dwarf::DW_OP_addr && block->size() == 1U + unit.unit.getAddressByteSize()) {
    return bytes.getAddress(&position);
  }
  if (operation != dwarf::DW_OP_addrx && operation != dwarf::DW_OP_GNU_addr_index) return std::nullopt;
  const auto address = unit.unit.getAddrOffsetSectionItem(static_cast<std::uint32_t>(bytes.getULEB128(&position)));
  return address ? std::optional(address->Address) : std::nullopt;
}

/// Up to version 1.68 the environment of an async function is in a core::future::from_generator::GenFuture, and a
/// future may be the only member of another one: the innermost one is used.
llvm::DWARFDie without_wrappers(llvm::DWARFDie type) {
  constexpr int most = 8;
  for (int steps = 0; steps < most && !is_async_environment(short_name(type)); ++steps) {
    const auto bytes = type_bytes(type);
    llvm::DWARFDie inside;
    for (const auto& child : type.children()) {
      if (child.getTag() == dwarf::DW_TAG_variant_part) return type;
      if (child.getTag() != dwarf::DW_TAG_member) continue;
      const auto its = type_of(child);
      if (type_bytes(its) == bytes && member_offset(child).value_or(0) == 0 && !inside.isValid()) inside = its;
    }
    if (bytes == 0 || !inside.isValid() || inside.getTag() != dwarf::DW_TAG_structure_type) return type;
    type = inside;
  }
  return type;
}

}  // namespace

std::vector<rust_vtable> find_rust_vtables(const unit_context& unit) {
  std::vector<rust_vtable> found;
  for (const auto& entry : unit.unit.dies()) {
    if (entry.getTag() != dwarf::DW_TAG_variable) continue;
    const llvm::DWARFDie variable(&unit.unit, &entry);
    if (!is_of_future(short_name(variable))) continue;
    const auto address = static_address(unit, variable);
    const auto type = type_of(variable).getAttributeValueAsReferencedDie(dwarf::DW_AT_containing_type);
    if (!address || *address == 0 || !type.isValid()) continue;
    const auto inside = without_wrappers(type);
    const bool environment = is_async_environment(short_name(inside));
    found.push_back({.address = *address, .type = type_text(environment ? inside : type), .bytes = type_bytes(type)});
  }
  return found;
}

}  // namespace tare::inspect
