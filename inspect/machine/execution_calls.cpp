#include "inspect/machine/arithmetic.hpp"
#include "inspect/machine/execution.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace tare::inspect {

void execution::push() {
  value content = destination();
  value& top = state_.registers[rsp];
  if (top.is_constant()) return;
  top.offset -= 8;
  state_.store(top, 8, std::move(content));
}

void execution::pop() {
  value& top = state_.registers[rsp];
  value content = made_by(insn_);
  if (!top.is_constant()) {
    if (const cell* known = state_.load(top, 8)) content = known->content;
    top.offset += 8;
  }
  assign(std::move(content));
}

std::string_view execution::call_target() const {
  if (const auto target = insn_.direct_target()) return code_.name_at(*target);
  if (insn_.operand_count > 0 && insn_.operands[0].what == operand::kind::in_memory) {
    if (const auto slot = address_of(state_, insn_).known()) return code_.name_at(*slot);
  }
  return {};
}

void execution::call() {
  const auto target = insn_.direct_target();
  if (!target && insn_.operand_count > 0) (void)destination();
  pass_arguments(call_target());
  pass_stack_arguments();
  const unsigned changed = (target ? changed_.by(*target) : changed_by_convention) | (1U << static_cast<unsigned>(rax));
  for (const auto which : {rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11}) {
    if ((changed & (1U << static_cast<unsigned>(which))) == 0) continue;
    state_.registers[register_index(which)] = which == rax ? made_by(insn_) : made_in_register(insn_, which);
  }
  state_.last = {};
}

void execution::pass_arguments(std::string_view target) {
  const bool fills = target.starts_with("memset");
  const bool copies = target.starts_with("memcpy") || target.starts_with("memmove");
  const auto bytes = state_.registers[rdx].known();
  if ((fills || copies) && bytes && *bytes > 0) {
    fill_or_copy(copies, *bytes);
  } else {
    pass_register_arguments();
  }
}

void execution::fill_or_copy(bool copies, std::uint64_t bytes) {
  const auto access = [&](memory_access::kind what, const value& pointer) {
    if (pointer.is_constant()) return;
    report_(
        {.what = what, .base = pointer.base, .offset = pointer.offset, .bytes = bytes, .instruction = insn_.address});
  };
  if (copies) access(memory_access::kind::read, state_.registers[rsi]);
  const value& to = state_.registers[rdi];
  access(memory_access::kind::write, to);
  if (to.is_constant()) return;
  const auto first = state_.memory.lower_bound({to.base, to.offset - 7});
  auto last = first;
  while (last != state_.memory.end() && last->first.first == to.base &&
         last->first.second < to.offset + static_cast<std::int64_t>(bytes)) {
    ++last;
  }
  state_.memory.erase(first, last);
}

void execution::pass_register_arguments() {
  for (const auto which : {rdi, rsi, rdx, rcx, r8, r9}) {
    const value& argument = state_.registers[register_index(which)];
    if (argument.is_constant()) continue;
    if (argument.base != stack_origin) {
      pass(argument, 0, true);
      continue;
    }
    // The pointers in an object on the stack are passed with it.
    constexpr std::int64_t max_object_bytes = 512;
    for (auto found = state_.memory.lower_bound({stack_origin, argument.offset});
         found != state_.memory.end() && found->first.first == stack_origin &&
         found->first.second < argument.offset + max_object_bytes;
         ++found) {
      if (follows_pointer(found->second.content)) pass(found->second.content, 0, true);
    }
  }
}

/// Further arguments are at the stack pointer, one after the other. Their number is not known, so this may also report
/// values that are not arguments.
void execution::pass_stack_arguments() {
  constexpr std::int64_t max_arguments = 16;
  const value& top = state_.registers[rsp];
  for (std::int64_t i = 0; i < max_arguments; ++i) {
    value place = top;
    place.offset += 8 * i;
    const cell* known = state_.load(place, 8);
    if (known == nullptr) return;
    if (follows_pointer(known->content)) pass(known->content, 0, true);
  }
}

void execution::string_operation() {
  const bool moves = insn_.what == operation::string_move;
  const auto count = insn_.repeats ? state_.registers[rcx].known() : std::optional<std::uint64_t>(1);
  value& to = state_.registers[rdi];
  value& from = state_.registers[rsi];
  if (count) {
    // The direction flag is clear, as the ABI requires.
    const std::uint64_t bytes = *count * insn_.memory.bytes;
    if (bytes != 0) fill_or_copy(moves, bytes);
    advance(to, bytes);
    if (moves) advance(from, bytes);
  } else {
    if (moves && !from.is_constant()) pass(from);
    if (!to.is_constant()) {
      pass(to);
      std::erase_if(state_.memory, [&](const auto& entry) { return entry.first.first == to.base; });
    }
    to = made_by(insn_, product::string_destination);
    if (moves) from = made_by(insn_, product::string_source);
  }
  if (insn_.repeats) state_.registers[rcx] = value::of(constant{0, insn_.address});
}

}  // namespace tare::inspect
