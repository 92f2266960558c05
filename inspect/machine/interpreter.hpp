#pragma once

// Follows what registers and memory hold through the instructions of a function.

#include "inspect/machine/changed_registers.hpp"
#include "inspect/machine/disassembler.hpp"
#include "inspect/machine/jump_tables.hpp"
#include "inspect/machine/memory_access.hpp"
#include "inspect/machine/value.hpp"
#include "inspect/object/image.hpp"

#include <string_view>

namespace tare::inspect {

class interpreter {
 public:
  interpreter(const image& code, const disassembler& decoder) : code_(code), changed_(code, decoder), tables_(code) {}

  /// Applies the instruction to `state` and reports each memory access.
  void step(machine_state& state, const instruction& insn, const access_sink& report);
  /// Reports the arguments that a jump out of the function passes in registers.
  void pass_arguments(machine_state& state, const instruction& insn, std::string_view target,
                      const access_sink& report);
  /// The tables of jump targets that were read so far.
  [[nodiscard]] const jump_tables& tables() const noexcept { return tables_; }

 private:
  const image& code_;
  changed_registers changed_;
  jump_tables tables_;
};

}  // namespace tare::inspect
