#pragma once

// Which registers a call may change.

#include "inspect/machine/disassembler.hpp"
#include "inspect/object/image.hpp"

#include <cstdint>
#include <unordered_map>

namespace tare::inspect {

/// rax, rcx, rdx, rsi, rdi, r8 to r11: the registers that a callee need not preserve, one bit each.
inline constexpr std::uint16_t changed_by_convention = 0x0fc7;

/// g++ keeps values in registers across calls of functions whose code it knows, so the callee's code is read.
class changed_registers {
 public:
  changed_registers(const image& code, const disassembler& decoder) : code_(code), decoder_(decoder) {}

  /// The registers that the function at this address may change, one bit each.
  [[nodiscard]] std::uint16_t by(std::uint64_t function) { return by(function, 0); }

 private:
  [[nodiscard]] std::uint16_t by(std::uint64_t function, int depth);

  const image& code_;
  const disassembler& decoder_;
  std::unordered_map<std::uint64_t, std::uint16_t> known_;
};

}  // namespace tare::inspect
