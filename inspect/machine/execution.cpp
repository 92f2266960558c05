#include "inspect/machine/execution.hpp"

#include "inspect/machine/arithmetic.hpp"

#include <algorithm>
#include <utility>

namespace tare::inspect {

value address_of(const machine_state& state, const instruction& insn) {
  const memory_operand& memory = insn.memory;
  const auto displacement = static_cast<std::uint64_t>(memory.displacement);
  if (memory.in_segment) return made_by(insn, product::segment_address);
  if (memory.base == instruction_pointer) return value::of(constant{insn.next() + displacement, insn.address});
  value sum = value::of(constant{displacement, insn.address});
  if (memory.base != no_register) {
    sum = state.registers[register_index(memory.base)];
    advance(sum, displacement);
  }
  if (memory.index == no_register) return sum;
  const value& index = state.registers[register_index(memory.index)];
  if (const auto known = index.known()) {
    advance(sum, *known * memory.scale);
    return sum;
  }
  // "lea rax, [rcx + rbx]" may have the pointer as its index.
  const auto distance = sum.known();
  if (!distance || memory.scale != 1 || index.is_constant()) return made_by(insn, product::indexed_address);
  value other = index;
  advance(other, *distance);
  return other;
}

void execution::run() {
  touch_indexed();
  if (!run_family()) run_unknown();
}

bool execution::run_family() {
  switch (insn_.what) {
    case operation::move:
    case operation::move_zero_extended:
    case operation::move_sign_extended:
      return move();
    case operation::load_address:
      assign(address_of(state_, insn_));
      return true;
    case operation::add:
    case operation::subtract:
      return add_or_subtract();
    case operation::bit_and:
    case operation::bit_or:
    case operation::bit_xor:
    case operation::shift_left:
      return combine_bits();
    case operation::increment:
    case operation::decrement:
      increment();
      return true;
    case operation::extend_rax:
      extend_rax();
      return true;
    case operation::compare:
      return compare(flags::kind::difference);
    case operation::test:
      return compare(flags::kind::conjunction);
    case operation::bit_test:
      return compare(flags::kind::bit);
    case operation::set_condition:
      set_condition();
      return true;
    case operation::conditional_move:
      return conditional_move();
    case operation::push:
      push();
      return true;
    case operation::pop:
      pop();
      return true;
    case operation::call:
      call();
      return true;
    case operation::jump:
    case operation::conditional_jump:
      if (insn_.operand_count > 0 && insn_.operands[0].what == operand::kind::in_memory) (void)destination();
      return true;
    case operation::string_store:
    case operation::string_move:
      string_operation();
      return true;
    case operation::nothing:
    case operation::trap:
      return true;
    case operation::string_read:
    case operation::ret:
    case operation::other:
      break;
  }
  return false;
}

/// Reports the accesses through a pointer plus an index that has several values or is not known.
void execution::touch_indexed() {
  const memory_operand& memory = insn_.memory;
  if (memory.index == no_register || memory.base < 0 || memory.base >= register_count || memory.in_segment) return;
  value pointer = state_.registers[register_index(memory.base)];
  value index = state_.registers[register_index(memory.index)];
  if (!follows_pointer(pointer) && memory.scale == 1) std::swap(pointer, index);
  if (!follows_pointer(pointer) || index.known()) return;
  memory_access access{.base = pointer.base,
                       .offset = pointer.offset + memory.displacement,
                       .bytes = memory.bytes,
                       .whole = false,
                       .indexed = !index.is_constant(),
                       .instruction = insn_.address};
  const auto touch = [&](std::uint64_t distance) {
    access.offset = pointer.offset + memory.displacement + static_cast<std::int64_t>(distance);
    for (const auto& [happens, what] :
         {std::pair(insn_.what == operation::load_address, memory_access::kind::passed),
          std::pair(insn_.loads, memory_access::kind::read), std::pair(insn_.stores, memory_access::kind::write)}) {
      if (!happens) continue;
      access.what = what;
      report_(access);
    }
  };
  if (access.indexed) touch(0);
  for (const auto& each : index.constants) touch(each.value * memory.scale);
}

value execution::operand_value(const operand& from) {
  switch (from.what) {
    case operand::kind::in_register: {
      if (!from.general || from.number >= register_count) return made_by(insn_, product::vector_register);
      if (from.high_byte) return made_by(insn_, product::high_byte_read);
      return truncated(state_.registers[register_index(from.number)], from.bytes);
    }
    case operand::kind::immediate:
      return value::of(constant{static_cast<std::uint64_t>(from.value), insn_.address});
    case operand::kind::in_memory: {
      const value address = address_of(state_, insn_);
      if (!address.is_constant()) {
        report_({.what = memory_access::kind::read,
                 .base = address.base,
                 .offset = address.offset,
                 .bytes = from.bytes,
                 .instruction = insn_.address});
      }
      return loaded(from.bytes);
    }
    case operand::kind::none:
      break;
  }
  return made_by(insn_, product::no_operand);
}

value execution::loaded(std::uint32_t bytes) {
  const value address = address_of(state_, insn_);
  if (const cell* known = state_.load(address, bytes)) return truncated(known->content, bytes);
  if (const auto place = address.known()) {
    if (const auto number = tables_.constant_at(*place, bytes)) return value::of(constant{*number, insn_.address});
  }
  return tables_.load(state_, insn_, bytes).value_or(made_by(insn_));
}

/// Assigns to the first operand.
void execution::assign(value content) {
  const operand& to = insn_.operands[0];
  if (to.what == operand::kind::in_register) return assign_register(to, std::move(content));
  if (to.what != operand::kind::in_memory) return;
  const value address = address_of(state_, insn_);
  if (follows_pointer(content) && to.bytes == 8 && (address.is_constant() || address.base != stack_origin)) {
    report_({.what = memory_access::kind::passed,
             .base = content.base,
             .offset = content.offset,
             .instruction = insn_.address,
             .written = {},
             .into = address.base,
             .into_offset = address.offset});
  }
  if (address.is_constant()) return;
  memory_access access{.what = memory_access::kind::write,
                       .base = address.base,
                       .offset = address.offset,
                       .bytes = to.bytes,
                       .instruction = insn_.address};
  value stored = truncated(std::move(content), to.bytes);
  if (stored.is_constant()) access.written = stored.constants;
  report_(access);
  state_.store(address, to.bytes, std::move(stored));
}

void execution::assign_register(const operand& to, value content) {
  if (!to.general || to.number >= register_count) {
    // A pointer in a vector register is not followed.
    if (follows_pointer(content)) pass(content, 0, true);
    return;
  }
  // Writing the lower half of a register clears its upper half; smaller parts are treated as separate values.
  state_.registers[register_index(to.number)] =
      to.high_byte ? made_by(insn_, product::high_byte_written) : truncated(std::move(content), to.bytes);
}

void execution::pass(const value& pointer, std::uint64_t bytes, bool whole) {
  report_({.what = memory_access::kind::passed,
           .base = pointer.base,
           .offset = pointer.offset,
           .bytes = bytes,
           .whole = whole,
           .instruction = insn_.address});
}

void execution::pass_pointer(const value& content) {
  if (follows_pointer(content)) pass(content);
}

/// All other instructions: reports their memory accesses; their results are unknown.
void execution::run_unknown() {
  const bool through_registers = insn_.what == operation::string_read;
  for (std::uint8_t i = 0; i < insn_.operand_count; ++i) {
    const operand& each = insn_.operands[i];
    if (each.what == operand::kind::in_memory) {
      const value address = address_of(state_, insn_);
      if (address.is_constant()) continue;
      memory_access access{.base = address.base,
                           .offset = address.offset,
                           .bytes = insn_.memory.bytes,
                           .whole = insn_.memory.bytes != 0,
                           .instruction = insn_.address};
      if (insn_.loads || !insn_.stores) report_(access);
      if (insn_.stores) {
        access.what = memory_access::kind::write;
        report_(access);
        state_.store(address, std::max(insn_.memory.bytes, 1U), made_by(insn_, product::stored));
      }
    } else if (each.what == operand::kind::in_register && each.general && each.number < register_count &&
               (i > 0 || through_registers)) {
      pass_pointer(state_.registers[register_index(each.number)]);
    }
  }
  for (int i = 0; i < register_count; ++i) {
    if (i != rsp && (insn_.defines & (1U << static_cast<unsigned>(i))) != 0) {
      state_.registers[static_cast<std::size_t>(i)] = made_in_register(insn_, i);
    }
  }
  if (through_registers && insn_.repeats) state_.registers[rcx] = made_in_register(insn_, rcx);
  if (insn_.what != operation::ret) state_.last = {};
}

}  // namespace tare::inspect
