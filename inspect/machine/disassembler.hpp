#pragma once

#include "inspect/machine/instruction.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace llvm {
class MCInst;  // NOLINT(readability-identifier-naming): LLVM's
}

namespace tare::inspect {

/// Decodes x86-64 with LLVM's tables. Constructing one takes a few milliseconds; keep it.
class disassembler {
 public:
  disassembler();
  ~disassembler();
  disassembler(const disassembler&) = delete;
  disassembler& operator=(const disassembler&) = delete;

  /// The instruction at the beginning of `bytes`; empty if there is none.
  [[nodiscard]] std::optional<instruction> decode(std::span<const std::uint8_t> bytes, std::uint64_t address) const;

 private:
  struct tables;
  class operand_reader;
  [[nodiscard]] std::uint32_t memory_width(const llvm::MCInst& raw, std::uint64_t address) const;

  std::unique_ptr<tables> tables_;
};

}  // namespace tare::inspect
