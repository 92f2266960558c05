#include "inspect/coroutine/children.hpp"

#include "inspect/coroutine/code_line.hpp"
#include "inspect/coroutine/frame_access.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <algorithm>
#include <string_view>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

/// Whether the frame of a coroutine was merged into this one: then its second word is the address of the function that
/// destroys without freeing.
bool is_merged(const unit_context& unit, const frame_function& function, std::string_view child) {
  bool merged = false;
  for_each_access(function, [&](std::size_t, const memory_access& access) {
    if (merged || access.what != memory_access::kind::write || access.bytes != 8) return;
    merged = std::ranges::any_of(access.written, [&](const constant& constant) {
      const auto part = part_symbol_of(unit.file.name_at(constant.value));
      return part && part->role == function_role::cleanup && part->coroutine == child;
    });
  });
  return merged;
}

/// Coroutines whose beginning was inlined here, with the line of the call in this coroutine.
void find_inlined_children(const unit_context& unit, const frame_function& function, const llvm::DWARFDie& block,
                           const source_line& from, std::vector<called_coroutine>& calls, int depth = 0) {
  constexpr int deepest = 64;
  if (depth > deepest) return;
  for (const auto& child : block.children()) {
    const auto tag = child.getTag();
    if (tag == dwarf::DW_TAG_lexical_block) {
      find_inlined_children(unit, function, child, from, calls, depth + 1);
    }
    if (tag != dwarf::DW_TAG_inlined_subroutine) continue;
    source_line where = from;
    if (where.line == 0) {
      std::uint32_t file = 0;
      std::uint32_t column = 0;
      std::uint32_t discriminator = 0;
      child.getCallerFrame(file, where.line, column, discriminator);
      where.file = unit.lines.file(file);
    }
    const auto callee = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    const auto name = coroutine_of(callee);
    if (name.empty()) {
      find_inlined_children(unit, function, child, where, calls, depth + 1);
    } else if (without_clone_suffixes(linkage_name(callee)) == name && !is_merged(unit, function, name)) {
      calls.push_back({.name = std::string(name), .where = where});
    }
  }
}

}  // namespace

std::vector<called_coroutine> find_called_coroutines(const unit_context& unit, const frame_source& source) {
  std::vector<called_coroutine> calls;
  for (const auto& function : source.functions) {
    if (function.flow == nullptr || (function.role != function_role::ramp && function.role != function_role::resume)) {
      continue;
    }
    for (const auto& call : function.flow->calls()) {
      const std::string_view name = without_clone_suffixes(unit.file.name_at(call.target));
      if (name.empty() || name == source.linkage_name) continue;
      calls.push_back({.name = std::string(name), .where = line_of(unit, function, call.instruction)});
    }
    find_inlined_children(unit, function, function.die, {}, calls);
  }
  return calls;
}

std::vector<found_await> with_children(std::vector<found_await> awaits, std::span<const called_coroutine> calls) {
  for (const auto& call : calls) {
    if (call.where.line == 0) continue;
    for (auto& await : awaits) {
      if (await.point.kind != suspension::await || await.point.where != call.where) continue;
      auto& children = await.point.children;
      if (std::ranges::find(children, call.name) == children.end()) children.push_back(call.name);
    }
  }
  return awaits;
}

}  // namespace tare::inspect
