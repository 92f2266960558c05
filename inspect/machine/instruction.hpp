#pragma once

// An x86-64 instruction, reduced to what is needed to follow pointers and constants through a function.

#include "inspect/machine/condition.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tare::inspect {

enum class operation : std::uint8_t {
  move,
  move_zero_extended,
  move_sign_extended,
  load_address,
  add,
  subtract,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  increment,
  extend_rax,  ///< cdqe: sign-extends eax to rax
  decrement,
  compare,
  test,
  bit_test,
  set_condition,
  conditional_move,
  push,
  pop,
  jump,
  conditional_jump,
  call,
  ret,
  trap,
  string_store,  ///< stos: writes at rdi
  string_move,   ///< movs: reads at rsi, writes at rdi
  string_read,   ///< cmps, scas, lods: reads at rsi, at rdi, or both
  nothing,       ///< nop, endbr64
  other,         ///< only what it defines, reads and writes is known
};

inline constexpr int register_count = 16;  ///< rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15: the encoding's order
enum register_name : std::int8_t {
  no_register = -1,
  rax = 0,
  rcx = 1,
  rdx = 2,
  rbx = 3,
  rsp = 4,
  rbp = 5,
  rsi = 6,
  rdi = 7,
  r8 = 8,
  r9 = 9,
  r10 = 10,
  r11 = 11,
  instruction_pointer = 16,
};

/// The index of a register in an array of all; only for existing registers.
[[nodiscard]] constexpr std::size_t register_index(std::int8_t number) noexcept {
  return static_cast<std::uint8_t>(number);
}

struct operand {
  enum class kind : std::uint8_t { none, in_register, immediate, in_memory };
  kind what = kind::none;
  std::int8_t number = no_register;  ///< the register
  bool high_byte = false;            ///< ah, bh, ch or dh
  bool general = true;               ///< false for xmm and other registers that are not followed
  std::uint8_t bytes = 0;
  std::int64_t value = 0;  ///< the immediate
};

/// [base + index * scale + displacement]
struct memory_operand {
  std::int8_t base = no_register;
  std::int8_t index = no_register;
  std::uint8_t scale = 1;
  bool in_segment = false;  ///< fs: or gs:, thread-local storage
  std::int64_t displacement = 0;
  std::uint32_t bytes = 0;  ///< 0 if not known
};

struct instruction {
  std::uint64_t address = 0;
  std::uint8_t size = 0;
  operation what = operation::other;
  condition when = condition::overflow;  ///< only of a conditional instruction
  bool loads = false;                    ///< reads its memory operand
  bool stores = false;                   ///< writes it
  bool repeats = false;                  ///< has a rep prefix: rcx is the count
  std::array<operand, 3> operands;
  std::uint8_t operand_count = 0;
  memory_operand memory;
  std::uint16_t defines = 0;  ///< a bit for each register that it changes
  [[nodiscard]] std::uint64_t next() const noexcept { return address + size; }
  /// The target of a jump or a call, if it is part of the instruction.
  [[nodiscard]] std::optional<std::uint64_t> direct_target() const noexcept {
    if (operand_count == 0 || operands[0].what != operand::kind::immediate) return std::nullopt;
    return next() + static_cast<std::uint64_t>(operands[0].value);
  }
};

}  // namespace tare::inspect
