#include "inspect/coroutine/code_line.hpp"

#include "inspect/dwarf/address_ranges.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <algorithm>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

bool covers(const llvm::DWARFDie& die, std::uint64_t address) {
  return std::ranges::any_of(address_ranges(die),
                             [&](const auto& each) { return address >= each.LowPC && address < each.HighPC; });
}

inlined_call call_in(const llvm::DWARFDie& block, std::uint64_t address, int depth) {
  constexpr int deepest = 256;
  if (depth > deepest) return {};
  for (const auto& child : block.children()) {
    const auto tag = child.getTag();
    if (tag == dwarf::DW_TAG_inlined_subroutine && covers(child, address)) {
      if (is_gcc_actor(child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin))) {
        return call_in(child, address, depth + 1);
      }
      inlined_call call{.die = child};
      std::uint32_t column = 0;
      std::uint32_t discriminator = 0;
      child.getCallerFrame(call.file, call.line, column, discriminator);
      return call;
    }
    if (tag == dwarf::DW_TAG_lexical_block) {
      const auto inner = call_in(child, address, depth + 1);
      if (inner.die.isValid()) return inner;
    }
  }
  return {};
}

}  // namespace

bool is_gcc_actor(const llvm::DWARFDie& function) {
  if (!function.isValid()) return false;
  const auto first = function.getFirstChild();
  return first.isValid() && short_name(first) == "frame_ptr";
}

inlined_call call_at(const llvm::DWARFDie& function, std::uint64_t address) { return call_in(function, address, 0); }

source_line line_of(const unit_context& unit, const frame_function& function, std::uint64_t address) {
  if (const auto call = call_at(function.die, address); call.die.isValid() && call.line != 0) {
    return {.file = unit.lines.file(call.file), .line = call.line};
  }
  const line_row* row = unit.lines.at(address);
  if (row == nullptr || row->line == 0) return {};
  return {.file = unit.lines.file(row->file), .line = row->line};
}

}  // namespace tare::inspect
