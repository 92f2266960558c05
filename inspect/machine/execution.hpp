#pragma once

// The execution of one instruction on a partly known state. Internal to inspect/machine/.

#include "inspect/machine/changed_registers.hpp"
#include "inspect/machine/jump_tables.hpp"
#include "inspect/machine/memory_access.hpp"
#include "inspect/machine/value.hpp"

#include <cstdint>
#include <string_view>

namespace tare::inspect {

/// The address of the instruction's memory operand, as far as it is known.
[[nodiscard]] value address_of(const machine_state& state, const instruction& insn);

class execution {
 public:
  execution(const image& code, changed_registers& changed, jump_tables& tables, machine_state& state,
            const instruction& insn, const access_sink& report)
      : code_(code), changed_(changed), tables_(tables), state_(state), insn_(insn), report_(report) {}

  void run();
  /// Reports the arguments that a call, or a jump out of the function, passes in registers.
  void pass_arguments(std::string_view target);

 private:
  // execution.cpp: operands, and dispatch by family. The functions of a family return false for forms they do not
  // handle.
  [[nodiscard]] bool run_family();
  void touch_indexed();
  [[nodiscard]] value operand_value(const operand& from);
  [[nodiscard]] value destination() { return operand_value(insn_.operands[0]); }
  [[nodiscard]] value source() { return operand_value(insn_.operands[insn_.operand_count > 1 ? 1 : 0]); }
  [[nodiscard]] std::uint8_t width() const { return insn_.operands[0].bytes; }
  [[nodiscard]] value loaded(std::uint32_t bytes);
  void assign(value content);
  void assign_register(const operand& to, value content);
  void pass(const value& pointer, std::uint64_t bytes = 0, bool whole = false);
  void pass_pointer(const value& content);
  void run_unknown();

  // execution_arithmetic.cpp
  [[nodiscard]] bool move();
  [[nodiscard]] bool add_or_subtract();
  [[nodiscard]] value sum(const value& left, const value& right, bool minus);
  [[nodiscard]] bool combine_bits();
  void increment();
  void extend_rax();
  [[nodiscard]] bool compare(flags::kind what);
  void set_condition();
  [[nodiscard]] bool conditional_move();
  void set_flags(flags::kind what, const value& left, const value& right);
  void set_flags(const value& result);

  // execution_calls.cpp
  void push();
  void pop();
  void call();
  [[nodiscard]] std::string_view call_target() const;
  void fill_or_copy(bool copies, std::uint64_t bytes);
  void pass_register_arguments();
  void pass_stack_arguments();
  void string_operation();

  const image& code_;
  changed_registers& changed_;
  jump_tables& tables_;
  machine_state& state_;
  const instruction& insn_;
  const access_sink& report_;
};

}  // namespace tare::inspect
