#include "inspect/machine/arithmetic.hpp"
#include "inspect/machine/execution.hpp"

#include <algorithm>
#include <utility>

namespace tare::inspect {
namespace {

std::uint64_t combine_bits_of(operation what, std::uint64_t left, std::uint64_t right) {
  switch (what) {
    case operation::bit_and:
      return left & right;
    case operation::bit_or:
      return left | right;
    case operation::bit_xor:
      return left ^ right;
    default:
      return left << (right & 63);
  }
}

/// "xor eax, eax"
bool clears_register(const instruction& insn) {
  const operand& left = insn.operands[0];
  const operand& right = insn.operands[1];
  return insn.what == operation::bit_xor && insn.operand_count == 2 && left.what == operand::kind::in_register &&
         right.what == operand::kind::in_register && left.number == right.number && left.general;
}

}  // namespace

void execution::set_flags(flags::kind what, const value& left, const value& right) {
  state_.last = {.what = what, .bytes = width(), .left = left.known(), .right = right.known()};
}

void execution::set_flags(const value& result) {
  state_.last = {.what = flags::kind::result, .bytes = width(), .left = result.known(), .right = {}};
}

bool execution::move() {
  if (insn_.operand_count < 2) return false;
  value content = source();
  if (insn_.what == operation::move_sign_extended && content.is_constant()) {
    map_constants(content, [&](std::uint64_t number) {
      return static_cast<std::uint64_t>(sign_extended(number, insn_.operands[1].bytes));
    });
  }
  assign(std::move(content));
  return true;
}

bool execution::add_or_subtract() {
  if (insn_.operand_count < 2) return false;
  const bool minus = insn_.what == operation::subtract;
  const value left = destination();
  const value right = source();
  value result = sum(left, right, minus);
  if (minus) {
    set_flags(flags::kind::difference, left, right);
  } else {
    set_flags(result);
  }
  assign(std::move(result));
  return true;
}

value execution::sum(const value& left, const value& right, bool minus) {
  if (auto both = combine(left, right, insn_, [&](std::uint64_t a, std::uint64_t b) {
        return (minus ? a - b : a + b) & width_mask(width());
      })) {
    return std::move(*both);
  }
  if (const auto distance = right.known(); distance && !left.is_constant()) {
    const std::uint32_t bytes = insn_.operands[1].bytes;
    const std::int64_t signed_distance = sign_extended(*distance, bytes == 0 ? 8 : bytes);
    return value::of(left.base, left.offset + (minus ? -signed_distance : signed_distance));
  }
  if (const auto distance = left.known(); distance && !right.is_constant() && !minus) {
    return value::of(right.base, right.offset + sign_extended(*distance, width()));
  }
  if (minus && !left.is_constant() && left.base == right.base) {
    return value::of(constant{static_cast<std::uint64_t>(left.offset - right.offset), insn_.address});
  }
  pass_pointer(left);
  pass_pointer(right);
  return made_by(insn_);
}

bool execution::combine_bits() {
  if (clears_register(insn_)) {
    const value zero = value::of(constant{0, insn_.address});
    assign(zero);
    set_flags(zero);
    return true;
  }
  if (insn_.operand_count < 2) return false;
  const value left = destination();
  const value right = source();
  value result = made_by(insn_);
  if (auto both = combine(left, right, insn_, [&](std::uint64_t a, std::uint64_t b) {
        return combine_bits_of(insn_.what, a, b) & width_mask(width());
      })) {
    result = std::move(*both);
  } else if (insn_.what == operation::bit_and && !left.is_constant() && left.base == stack_origin) {
    result = left;  // the stack pointer being aligned: distances from it stay distances
  }
  set_flags(result);
  assign(std::move(result));
  return true;
}

void execution::increment() {
  const std::uint64_t distance = insn_.what == operation::increment ? 1 : ~std::uint64_t{0};
  value content = destination();
  if (content.is_constant()) {
    map_constants(content, [&](std::uint64_t number) { return (number + distance) & width_mask(width()); });
  } else {
    content.offset += static_cast<std::int64_t>(distance);
  }
  set_flags(content);
  assign(std::move(content));
}

void execution::extend_rax() {
  value& content = state_.registers[rax];
  if (content.is_constant()) {
    map_constants(content, [](std::uint64_t number) { return static_cast<std::uint64_t>(sign_extended(number, 4)); });
  } else if (!tables_.extend(content)) {
    content = made_by(insn_);
  }
}

bool execution::compare(flags::kind what) {
  if (insn_.operand_count < 2) return false;
  const value left = destination();
  const value right = source();
  set_flags(what, left, right);
  return true;
}

void execution::set_condition() {
  value result{0, 0, {{0, insn_.address}, {1, insn_.address}}};
  if (const auto decided = decide(state_.last, insn_.when)) {
    result = value::of(constant{*decided ? 1U : 0U, insn_.address});
  }
  assign(std::move(result));
}

bool execution::conditional_move() {
  if (insn_.operand_count < 2) return false;
  value left = destination();
  const value right = source();
  if (const auto decided = decide(state_.last, insn_.when)) {
    if (*decided) left = right;
    assign(std::move(left));
    return true;
  }
  if (left.is_constant() && right.is_constant()) {
    left.constants.insert(left.constants.end(), right.constants.begin(), right.constants.end());
    std::ranges::sort(left.constants);
    const auto [first, last] = std::ranges::unique(left.constants);
    left.constants.erase(first, last);
  } else if (left != right) {
    pass_pointer(left);
    pass_pointer(right);
    left = made_by(insn_);
  }
  assign(std::move(left));
  return true;
}

}  // namespace tare::inspect
