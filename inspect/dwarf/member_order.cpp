#include "inspect/dwarf/member_order.hpp"

#include "inspect/dwarf/type_text.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>
#include <vector>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr int deepest = 16;
constexpr std::size_t max_members = 4096;

struct class_member {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t alignment = 1;
};

bool is_class(const llvm::DWARFDie& type) {
  return type.isValid() && (type.getTag() == dwarf::DW_TAG_structure_type || type.getTag() == dwarf::DW_TAG_class_type);
}

std::optional<std::uint64_t> alignment_of(llvm::DWARFDie type, int depth);

/// The strictest alignment of its parts, bases included; nullopt if one of them is not known.
std::optional<std::uint64_t> alignment_of_parts(const llvm::DWARFDie& type, int depth) {
  std::uint64_t strictest = 1;
  std::size_t parts = 0;
  for (const auto& child : type.children()) {
    if (child.getTag() != dwarf::DW_TAG_member && child.getTag() != dwarf::DW_TAG_inheritance) continue;
    if (child.find(dwarf::DW_AT_external) || child.find(dwarf::DW_AT_declaration)) continue;  // static
    const auto made = alignment_of(type_of(child), depth + 1);
    if (!made || ++parts > max_members) return std::nullopt;
    strictest = std::max({strictest, *made, dwarf::toUnsigned(child.find(dwarf::DW_AT_alignment), 1)});
  }
  return strictest;
}

std::optional<std::uint64_t> alignment_of(llvm::DWARFDie type, int depth) {
  type = without_aliases(type, true);
  if (!type.isValid() || depth > deepest || type.find(dwarf::DW_AT_declaration)) return std::nullopt;
  if (const auto alignment = dwarf::toUnsigned(type.find(dwarf::DW_AT_alignment));
      alignment && std::has_single_bit(*alignment)) {
    return alignment;
  }
  switch (type.getTag()) {
    case dwarf::DW_TAG_pointer_type:
    case dwarf::DW_TAG_reference_type:
    case dwarf::DW_TAG_rvalue_reference_type:
    case dwarf::DW_TAG_ptr_to_member_type:
      return 8;
    case dwarf::DW_TAG_base_type:
    case dwarf::DW_TAG_enumeration_type: {
      const std::uint64_t bytes = type_bytes(type);
      return std::has_single_bit(bytes) && bytes <= 16 ? std::optional(bytes) : std::nullopt;
    }
    case dwarf::DW_TAG_volatile_type:
    case dwarf::DW_TAG_array_type:
      return alignment_of(type_of(type), depth + 1);
    case dwarf::DW_TAG_structure_type:
    case dwarf::DW_TAG_class_type:
    case dwarf::DW_TAG_union_type:
      return alignment_of_parts(type, depth);
    default:
      return std::nullopt;
  }
}

std::uint64_t rounded_up(std::uint64_t bytes, std::uint64_t to) { return (bytes + to - 1) / to * to; }

/// The members in the order of their declaration; nullopt if the class is not plain.
std::optional<std::vector<class_member>> members_of(const llvm::DWARFDie& type) {
  std::vector<class_member> members;
  for (const auto& child : type.children()) {
    if (child.getTag() == dwarf::DW_TAG_inheritance) return std::nullopt;
    if (child.getTag() == dwarf::DW_TAG_variant_part) return std::nullopt;
    if (child.getTag() != dwarf::DW_TAG_member) continue;
    if (child.find(dwarf::DW_AT_external) || child.find(dwarf::DW_AT_declaration)) continue;  // static
    const auto offset = member_offset(child);
    const auto member = type_of(child);
    const auto alignment = alignment_of(member, 0);
    const std::uint64_t bytes = type_bytes(member);
    const bool plain = offset && alignment && bytes != 0 && bytes % *alignment == 0 &&
                       !child.find({dwarf::DW_AT_bit_size, dwarf::DW_AT_data_bit_offset, dwarf::DW_AT_artificial});
    if (!plain || members.size() >= max_members) return std::nullopt;
    members.push_back({.offset = *offset,
                       .bytes = bytes,
                       .alignment = std::max(*alignment, dwarf::toUnsigned(child.find(dwarf::DW_AT_alignment), 1))});
  }
  return members;
}

std::uint64_t saved_by_class(const llvm::DWARFDie& type) {
  auto members = members_of(type);
  const auto alignment = alignment_of(type, 0);
  const auto declared = dwarf::toUnsigned(type.find(dwarf::DW_AT_byte_size));
  if (!members || !alignment || !declared) return 0;
  const auto lay_out = [&](bool compare) -> std::optional<std::uint64_t> {
    std::uint64_t end = 0;
    for (const auto& each : *members) {
      end = rounded_up(end, each.alignment);
      if (compare && end != each.offset) return std::nullopt;
      end += each.bytes;
    }
    return rounded_up(end, *alignment);
  };
  if (lay_out(true) != declared) return 0;
  std::ranges::sort(*members, std::ranges::greater{}, &class_member::alignment);
  const std::uint64_t least = lay_out(false).value_or(*declared);
  return *declared - std::min(*declared, least);
}

}  // namespace

llvm::DWARFDie class_of(llvm::DWARFDie type) {
  for (int steps = 0; steps < deepest; ++steps) {
    type = without_aliases(type, true);
    if (!type.isValid() || type.getTag() != dwarf::DW_TAG_array_type) break;
    type = type_of(type);
  }
  return is_class(type) ? type : llvm::DWARFDie();
}

std::uint64_t bytes_saved_by_order(llvm::DWARFDie type) {
  const auto made = class_of(type);
  if (!made.isValid()) return 0;
  const std::uint64_t of_one = type_bytes(made);
  return of_one == 0 ? 0 : saved_by_class(made) * (type_bytes(type) / of_one);
}

}  // namespace tare::inspect
