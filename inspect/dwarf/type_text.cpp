#include "inspect/dwarf/type_text.hpp"

#include "inspect/dwarf/source_path.hpp"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugLine.h>
#include <llvm/DebugInfo/DWARF/DWARFTypePrinter.h>
#include <llvm/DebugInfo/DWARF/DWARFUnit.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr int deepest = 64;

/// Whether the type printer, which does not check its input, may start here: the chains of DW_AT_type and of parents
/// end, and clang's short form of a template's name ("_STN|name|<int>") is complete.
bool is_bounded(llvm::DWARFDie type, int depth) {
  for (int steps = 0; type.isValid(); ++steps) {
    if (steps > depth) return false;
    const std::string_view name = short_name(type);
    constexpr std::string_view short_form = "_STN|";
    if (name.starts_with(short_form) && !name.substr(short_form.size()).contains('|')) return false;
    if (type.getTag() == dwarf::DW_TAG_subroutine_type) {
      for (const auto& child : type.children()) {
        if (!is_bounded(child.resolveReferencedType(dwarf::DW_AT_type), depth / 2)) return false;
      }
    }
    if (type.getTag() == dwarf::DW_TAG_structure_type || type.getTag() == dwarf::DW_TAG_class_type ||
        type.getTag() == dwarf::DW_TAG_union_type) {
      for (const auto& child : type.children()) {
        if (child.getTag() != dwarf::DW_TAG_template_type_parameter) continue;
        if (!is_bounded(child.resolveReferencedType(dwarf::DW_AT_type), depth / 2)) return false;
      }
      return true;
    }
    type = type.resolveReferencedType(dwarf::DW_AT_type);
  }
  return true;
}

std::uint64_t bytes_of(llvm::DWARFDie type, int depth) {
  if (!type.isValid() || depth > deepest) return 0;
  if (const auto size = dwarf::toUnsigned(type.find(dwarf::DW_AT_byte_size))) return *size;
  switch (type.getTag()) {
    case dwarf::DW_TAG_pointer_type:
    case dwarf::DW_TAG_reference_type:
    case dwarf::DW_TAG_rvalue_reference_type:
      return 8;
    case dwarf::DW_TAG_ptr_to_member_type: {
      const auto target = type.resolveReferencedType(dwarf::DW_AT_type);
      return target.isValid() && target.getTag() == dwarf::DW_TAG_subroutine_type ? 16 : 8;
    }
    case dwarf::DW_TAG_const_type:
    case dwarf::DW_TAG_volatile_type:
    case dwarf::DW_TAG_restrict_type:
    case dwarf::DW_TAG_atomic_type:
    case dwarf::DW_TAG_typedef:
      return bytes_of(type.resolveReferencedType(dwarf::DW_AT_type), depth + 1);
    case dwarf::DW_TAG_array_type: {
      std::uint64_t count = 1;
      for (const auto& child : type.children()) {
        if (child.getTag() != dwarf::DW_TAG_subrange_type) continue;
        if (const auto elements = dwarf::toUnsigned(child.find(dwarf::DW_AT_count))) {
          count *= *elements;
        } else if (const auto last = dwarf::toUnsigned(child.find(dwarf::DW_AT_upper_bound))) {
          count *= *last + 1;
        } else {
          return 0;
        }
      }
      return count * bytes_of(type.resolveReferencedType(dwarf::DW_AT_type), depth + 1);
    }
    default:
      return 0;
  }
}

/// The entry that has the attribute: this one, or one that it is an instance or the definition of.
llvm::DWARFDie holder_of(const llvm::DWARFDie& die, dwarf::Attribute attribute, int depth = 0) {
  if (!die.isValid() || depth > 8) return {};
  if (die.find(attribute)) return die;
  for (const auto leads : {dwarf::DW_AT_abstract_origin, dwarf::DW_AT_specification, dwarf::DW_AT_signature}) {
    const auto holder = holder_of(die.getAttributeValueAsReferencedDie(leads), attribute, depth + 1);
    if (holder.isValid()) return holder;
  }
  return {};
}

}  // namespace

std::string type_text(llvm::DWARFDie type) {
  // g++ describes a type with a unit of its own outside of its namespace, and refers to its declaration inside.
  if (type.isValid() && type.getDwarfUnit()->isTypeUnit()) {
    const auto declaration = type.getAttributeValueAsReferencedDie(dwarf::DW_AT_specification);
    if (declaration.isValid()) type = declaration;
  }
  if (!type.isValid() || !is_bounded(type, deepest)) return "?";
  std::string text;
  llvm::raw_string_ostream out(text);
  llvm::DWARFTypePrinter<llvm::DWARFDie> printer(out);
  printer.appendQualifiedName(type);
  return text;
}

std::uint64_t type_bytes(llvm::DWARFDie type) { return bytes_of(type, 0); }

std::string_view short_name(const llvm::DWARFDie& die) {
  const char* name = die.getShortName();
  return name == nullptr ? std::string_view() : name;
}

std::string_view linkage_name(const llvm::DWARFDie& die) {
  const char* name = die.getLinkageName();
  return name == nullptr ? std::string_view() : name;
}

llvm::DWARFDie type_of(const llvm::DWARFDie& die) {
  llvm::DWARFDie at = die;
  for (int steps = 0; steps < 8 && at.isValid(); ++steps) {
    const auto type = at.resolveReferencedType(dwarf::DW_AT_type);
    if (type.isValid()) return type;
    auto next = at.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    if (!next.isValid()) next = at.getAttributeValueAsReferencedDie(dwarf::DW_AT_specification);
    at = next;
  }
  return {};
}

llvm::DWARFDie without_aliases(llvm::DWARFDie type, bool also_const, int most) {
  for (int steps = 0; type.isValid() && steps < most; ++steps) {
    const bool alias =
        type.getTag() == dwarf::DW_TAG_typedef || (also_const && type.getTag() == dwarf::DW_TAG_const_type);
    if (!alias) break;
    type = type_of(type);
  }
  return type;
}

std::uint64_t entry_of(const llvm::DWARFDie& type) {
  if (!type.isValid() || type.getDwarfUnit()->isDWOUnit() || type.getDwarfUnit()->isTypeUnit()) return 0;
  return type.getOffset();
}

source_line declaration(const llvm::DWARFDie& die) {
  source_line where;
  const auto line = dwarf::toUnsigned(holder_of(die, dwarf::DW_AT_decl_line).find(dwarf::DW_AT_decl_line), 0);
  if (line == 0) return where;
  where.line = static_cast<std::uint32_t>(line);
  // The number of a file refers to the unit with the attribute, which may not be the entry's unit.
  const auto holder = holder_of(die, dwarf::DW_AT_decl_file);
  const auto number = dwarf::toUnsigned(holder.find(dwarf::DW_AT_decl_file));
  if (!number) return where;
  llvm::DWARFUnit* unit = holder.getDwarfUnit()->getLinkedUnit();
  if (const auto* lines = unit->getContext().getLineTableForUnit(unit)) {
    const char* folder = unit->getCompilationDir();
    where.file = source_path(*lines, *number, folder == nullptr ? "" : folder);
  }
  return where;
}

std::optional<std::uint64_t> member_offset(const llvm::DWARFDie& member) {
  return dwarf::toUnsigned(member.find(dwarf::DW_AT_data_member_location));
}

}  // namespace tare::inspect
