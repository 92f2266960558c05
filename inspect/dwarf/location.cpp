#include "inspect/dwarf/location.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>
#include <llvm/DebugInfo/DWARF/LowLevel/DWARFExpression.h>

#include <array>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::size_t deepest_stack = 64;

struct evaluation {
  std::vector<std::optional<value>> stack;
  bool is_value = false;  ///< what is on the stack is the variable itself, not where it is
  bool in_register = false;

  /// Where in memory the variable is; nothing if it is not there.
  [[nodiscard]] std::optional<value> address() const {
    if (stack.empty() || is_value || in_register) return std::nullopt;
    return stack.back();
  }
};

std::optional<value> plus(const std::optional<value>& from, std::int64_t distance) {
  if (!from) return std::nullopt;
  value sum = *from;
  if (sum.is_constant()) {
    for (auto& each : sum.constants) each.value += static_cast<std::uint64_t>(distance);
  } else {
    sum.offset += distance;
  }
  return sum;
}

}  // namespace

std::int8_t register_of_dwarf(std::uint64_t number) {
  static constexpr std::array<std::int8_t, 8> first{rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp};
  if (number < first.size()) return first[number];
  return number < register_count ? static_cast<std::int8_t>(number) : std::int8_t{no_register};
}

std::vector<located_piece> locate(llvm::ArrayRef<std::uint8_t> expression, const machine_state& state,
                                  const std::optional<value>& frame_base, std::uint8_t address_bytes) {
  std::vector<located_piece> pieces;
  const llvm::DataExtractor data(llvm::StringRef(reinterpret_cast<const char*>(expression.data()), expression.size()),
                                 /*IsLittleEndian=*/true, address_bytes);
  const llvm::DWARFExpression steps(data, address_bytes, dwarf::DWARF32);
  evaluation now;
  std::uint64_t done = 0;
  bool in_pieces = false;
  const auto push = [&](std::optional<value> one) { now.stack.push_back(std::move(one)); };
  const auto from_register = [&](std::uint64_t number, std::int64_t distance) -> std::optional<value> {
    const auto which = register_of_dwarf(number);
    if (which == no_register) return std::nullopt;
    return plus(state.registers[register_index(which)], distance);
  };
  for (const auto& step : steps) {
    if (step.isError() || now.stack.size() > deepest_stack) return {};
    const unsigned code = step.getCode();
    const auto number = [&](unsigned which) {
      return which < step.getNumOperands() ? step.getRawOperand(which) : std::uint64_t{0};
    };
    if (code >= dwarf::DW_OP_breg0 && code <= dwarf::DW_OP_breg31) {
      push(from_register(code - dwarf::DW_OP_breg0, static_cast<std::int64_t>(number(0))));
    } else if (code >= dwarf::DW_OP_reg0 && code <= dwarf::DW_OP_reg31) {
      now.in_register = true;
      push(std::nullopt);
    } else if (code >= dwarf::DW_OP_lit0 && code <= dwarf::DW_OP_lit31) {
      push(value::of(constant{code - dwarf::DW_OP_lit0, 0}));
    } else {
      switch (code) {
        case dwarf::DW_OP_bregx:
          push(from_register(number(0), static_cast<std::int64_t>(number(1))));
          break;
        case dwarf::DW_OP_fbreg:
          push(plus(frame_base, static_cast<std::int64_t>(number(0))));
          break;
        case dwarf::DW_OP_call_frame_cfa:
          push(value::of(stack_origin, 8));
          break;
        case dwarf::DW_OP_plus_uconst:
          if (now.stack.empty()) return {};
          now.stack.back() = plus(now.stack.back(), static_cast<std::int64_t>(number(0)));
          break;
        case dwarf::DW_OP_const1u:
        case dwarf::DW_OP_const2u:
        case dwarf::DW_OP_const4u:
        case dwarf::DW_OP_const8u:
        case dwarf::DW_OP_const1s:
        case dwarf::DW_OP_const2s:
        case dwarf::DW_OP_const4s:
        case dwarf::DW_OP_const8s:
        case dwarf::DW_OP_constu:
        case dwarf::DW_OP_consts:
          push(value::of(constant{number(0), 0}));
          break;
        case dwarf::DW_OP_plus:
        case dwarf::DW_OP_minus: {
          if (now.stack.size() < 2) return {};
          const auto right = now.stack.back();
          now.stack.pop_back();
          const auto known = right ? right->known() : std::nullopt;
          const auto distance = static_cast<std::int64_t>(known.value_or(0));
          now.stack.back() =
              known ? plus(now.stack.back(), code == dwarf::DW_OP_plus ? distance : -distance) : std::nullopt;
          break;
        }
        case dwarf::DW_OP_deref: {
          if (now.stack.empty()) return {};
          const auto& from = now.stack.back();
          const cell* content = from ? state.load(*from, 8) : nullptr;
          now.stack.back() = content != nullptr ? std::optional(content->content) : std::nullopt;
          break;
        }
        case dwarf::DW_OP_stack_value:
        case dwarf::DW_OP_implicit_value:
          now.is_value = true;
          if (code == dwarf::DW_OP_implicit_value) push(std::nullopt);
          break;
        case dwarf::DW_OP_piece: {
          in_pieces = true;
          const std::uint64_t size = number(0);
          if (const auto where = now.address()) {
            pieces.push_back({.address = *where, .first_byte = done, .bytes = size});
          }
          done += size;
          now = {};
          break;
        }
        default:
          return pieces;  // an operation that says nothing about memory of this frame
      }
    }
  }
  if (const auto where = now.address(); where && !in_pieces) pieces.push_back({.address = *where});
  return pieces;
}

std::optional<value> frame_base_of(const llvm::DWARFDie& function, const machine_state& state) {
  const auto block = dwarf::toBlock(function.find(dwarf::DW_AT_frame_base));
  if (!block || block->empty()) return std::nullopt;
  const unsigned code = (*block)[0];
  if (code >= dwarf::DW_OP_reg0 && code <= dwarf::DW_OP_reg31) {
    const auto which = register_of_dwarf(code - dwarf::DW_OP_reg0);
    if (which == no_register) return std::nullopt;
    return state.registers[register_index(which)];
  }
  const auto where = locate(*block, state, std::nullopt, 8);
  if (where.size() != 1) return std::nullopt;
  return where.front().address;
}

}  // namespace tare::inspect
