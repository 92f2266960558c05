#include "inspect/coroutine/scopes.hpp"

#include "inspect/dwarf/address_ranges.hpp"

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

// Only a damaged file is nested this deep.
constexpr int deepest_block = 256;

std::vector<code_range> ranges_of(const llvm::DWARFDie& block) {
  std::vector<code_range> ranges;
  for (const auto& each : address_ranges(block)) {
    if (each.LowPC < each.HighPC) ranges.push_back({each.LowPC, each.HighPC});
  }
  return ranges;
}

struct walk {
  const variable_visitor& visit;
  const body_test& is_body;

  void go(const llvm::DWARFDie& block, const std::vector<code_range>& scope, bool inlined, int depth) const {
    if (depth > deepest_block) return;
    for (const auto& child : block.children()) {
      switch (child.getTag()) {
        case dwarf::DW_TAG_variable:
        case dwarf::DW_TAG_formal_parameter:
          visit(child, scope, inlined);
          break;
        case dwarf::DW_TAG_lexical_block:
        case dwarf::DW_TAG_try_block:
        case dwarf::DW_TAG_catch_block: {
          const auto inner = ranges_of(child);
          go(child, inner.empty() ? scope : inner, inlined, depth + 1);
          break;
        }
        case dwarf::DW_TAG_inlined_subroutine:
          go(child, ranges_of(child), inlined || !is_body || !is_body(child), depth + 1);
          break;
        default:
          break;
      }
    }
  }
};

}  // namespace

void for_each_variable(const llvm::DWARFDie& function, const std::vector<code_range>& scope,
                       const variable_visitor& visit, const body_test& is_body) {
  walk{.visit = visit, .is_body = is_body}.go(function, scope, false, 0);
}

}  // namespace tare::inspect
