#include "inspect/machine/switch_bounds.hpp"

#include "inspect/machine/arithmetic.hpp"
#include "inspect/machine/execution.hpp"

#include <ranges>

namespace tare::inspect {

void switch_bounds::see(const machine_state& before, const instruction& insn) {
  const auto& [left, right, third] = insn.operands;
  const bool compares = insn.what == operation::compare || insn.what == operation::subtract;
  if (compares && insn.operand_count >= 2 && right.what == operand::kind::immediate) {
    last_.reset();
    if (left.what == operand::kind::in_register && left.general && left.number < register_count) {
      last_ = {.compared = before.registers[register_index(left.number)],
               .highest = static_cast<std::uint64_t>(right.value) & width_mask(left.bytes)};
    }
  } else if (insn.what == operation::conditional_jump) {
    // "cmp eax, 34; ja elsewhere" or "cmp eax, 35; jae elsewhere"
    if (last_ && insn.when == condition::above) {
      bounds_.push_back(*last_);
    } else if (last_ && insn.when == condition::not_below && last_->highest > 0) {
      bounds_.push_back({.compared = last_->compared, .highest = last_->highest - 1});
    }
  } else if (insn.what == operation::load_address && insn.memory.base == no_register && insn.memory.index >= 0 &&
             insn.memory.index < register_count) {
    // "lea rdx, [rax * 4]", as g++ has it without optimization
    multiples_.emplace_back(address_of(before, insn), before.registers[register_index(insn.memory.index)]);
  }
}

std::optional<std::uint64_t> switch_bounds::count_of(const value& index) const {
  value number = index;
  for (const auto& [multiple, of] : multiples_) {
    if (multiple == number) number = of;
  }
  if (number.is_constant()) return std::nullopt;
  for (const auto& each : std::views::reverse(bounds_)) {
    if (each.compared == number && each.highest != ~std::uint64_t{0}) return each.highest + 1;
  }
  return std::nullopt;
}

}  // namespace tare::inspect
