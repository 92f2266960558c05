#pragma once

#include "inspect/machine/instruction.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace tare::inspect {

/// Decodes x86-64 by LLVM's tables. Costs some milliseconds to make and is meant to be kept.
class disassembler {
 public:
  disassembler();
  ~disassembler();
  disassembler(const disassembler&) = delete;
  disassembler& operator=(const disassembler&) = delete;

  /// The instruction at the beginning of `bytes`; nothing if there is none.
  [[nodiscard]] std::optional<instruction> decode(std::span<const std::uint8_t> bytes, std::uint64_t address) const;

 private:
  struct tables;
  std::unique_ptr<tables> tables_;
};

}  // namespace tare::inspect
