#include "inspect/dwarf/location.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>
#include <llvm/DebugInfo/DWARF/LowLevel/DWARFExpression.h>

#include <array>
#include <cstdint>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::size_t max_stack = 64;

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

/// Follows the operations of a location expression.
class evaluation {
 public:
  evaluation(const machine_state& state, const std::optional<value>& frame_base)
      : state_(state), frame_base_(frame_base) {}

  enum class outcome : std::uint8_t {
    followed,
    not_of_the_frame,  ///< an operation that does not refer to memory of this frame
    damaged,
  };
  outcome step(const llvm::DWARFExpression::Operation& operation) {
    if (operation.isError() || stack_.size() > max_stack) return outcome::damaged;
    const unsigned code = operation.getCode();
    const auto number = [&](unsigned which) {
      return which < operation.getNumOperands() ? operation.getRawOperand(which) : std::uint64_t{0};
    };
    if (code >= dwarf::DW_OP_breg0 && code <= dwarf::DW_OP_breg31) {
      push(from_register(code - dwarf::DW_OP_breg0, static_cast<std::int64_t>(number(0))));
    } else if (code >= dwarf::DW_OP_reg0 && code <= dwarf::DW_OP_reg31) {
      in_register_ = true;
      push(std::nullopt);
    } else if (code >= dwarf::DW_OP_lit0 && code <= dwarf::DW_OP_lit31) {
      push(value::of(constant{code - dwarf::DW_OP_lit0, 0}));
    } else {
      return step(code, number(0), number(1));
    }
    return outcome::followed;
  }

  [[nodiscard]] std::vector<located_piece> finish() && {
    if (const auto where = address(); where && !in_pieces_) pieces_.push_back({.address = *where});
    return std::move(pieces_);
  }
  [[nodiscard]] std::vector<located_piece> pieces() && { return std::move(pieces_); }

 private:
  outcome step(unsigned code, std::uint64_t first, std::uint64_t second) {
    switch (code) {
      case dwarf::DW_OP_bregx:
        push(from_register(first, static_cast<std::int64_t>(second)));
        break;
      case dwarf::DW_OP_fbreg:
        push(plus(frame_base_, static_cast<std::int64_t>(first)));
        break;
      case dwarf::DW_OP_call_frame_cfa:
        push(value::of(stack_origin, 8));
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
        push(value::of(constant{first, 0}));
        break;
      case dwarf::DW_OP_stack_value:
      case dwarf::DW_OP_implicit_value:
        is_value_ = true;
        if (code == dwarf::DW_OP_implicit_value) push(std::nullopt);
        break;
      case dwarf::DW_OP_piece:
        end_piece(first);
        break;
      case dwarf::DW_OP_plus_uconst:
      case dwarf::DW_OP_plus:
      case dwarf::DW_OP_minus:
      case dwarf::DW_OP_deref:
        return compute(code, first);
      default:
        return outcome::not_of_the_frame;
    }
    return outcome::followed;
  }

  outcome compute(unsigned code, std::uint64_t first) {
    const bool binary = code == dwarf::DW_OP_plus || code == dwarf::DW_OP_minus;
    if (stack_.size() < (binary ? 2U : 1U)) return outcome::damaged;
    if (code == dwarf::DW_OP_plus_uconst) {
      stack_.back() = plus(stack_.back(), static_cast<std::int64_t>(first));
    } else if (code == dwarf::DW_OP_deref) {
      const auto& from = stack_.back();
      const cell* content = from ? state_.load(*from, 8) : nullptr;
      stack_.back() = content != nullptr ? std::optional(content->content) : std::nullopt;
    } else {
      const auto right = std::move(stack_.back());
      stack_.pop_back();
      const auto known = right ? right->known() : std::nullopt;
      const auto distance = static_cast<std::int64_t>(known.value_or(0));
      stack_.back() = known ? plus(stack_.back(), code == dwarf::DW_OP_plus ? distance : -distance) : std::nullopt;
    }
    return outcome::followed;
  }

  void end_piece(std::uint64_t bytes) {
    in_pieces_ = true;
    if (const auto where = address()) {
      pieces_.push_back({.address = *where, .first_byte = located_bytes_, .bytes = bytes});
    }
    located_bytes_ += bytes;
    stack_.clear();
    is_value_ = in_register_ = false;
  }

  void push(std::optional<value> each) { stack_.push_back(std::move(each)); }

  [[nodiscard]] std::optional<value> from_register(std::uint64_t number, std::int64_t distance) const {
    const auto which = register_of_dwarf(number);
    if (which == no_register) return std::nullopt;
    return plus(state_.registers[register_index(which)], distance);
  }

  /// The address of the variable; empty if it is not in memory.
  [[nodiscard]] std::optional<value> address() const {
    if (stack_.empty() || is_value_ || in_register_) return std::nullopt;
    return stack_.back();
  }

  const machine_state& state_;
  const std::optional<value>& frame_base_;
  std::vector<std::optional<value>> stack_;
  bool is_value_ = false;  ///< the value on the stack is the variable itself, not its address
  bool in_register_ = false;
  bool in_pieces_ = false;
  std::uint64_t located_bytes_ = 0;
  std::vector<located_piece> pieces_;
};

}  // namespace

std::int8_t register_of_dwarf(std::uint64_t number) {
  static constexpr std::array<std::int8_t, 8> first{rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp};
  if (number < first.size()) return first[number];
  return number < register_count ? static_cast<std::int8_t>(number) : std::int8_t{no_register};
}

std::vector<located_piece> locate(llvm::ArrayRef<std::uint8_t> expression, const machine_state& state,
                                  const std::optional<value>& frame_base, std::uint8_t address_bytes) {
  const llvm::DataExtractor data(llvm::StringRef(reinterpret_cast<const char*>(expression.data()), expression.size()),
                                 /*IsLittleEndian=*/true, address_bytes);
  const llvm::DWARFExpression operations(data, address_bytes, dwarf::DWARF32);
  evaluation all(state, frame_base);
  for (const auto& each : operations) {
    switch (all.step(each)) {
      case evaluation::outcome::followed:
        break;
      case evaluation::outcome::not_of_the_frame:
        return std::move(all).pieces();
      case evaluation::outcome::damaged:
        return {};
    }
  }
  return std::move(all).finish();
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
