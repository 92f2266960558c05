// Tables of jump targets in an object file that llvm-mc makes.

#include "inspect/machine/jump_tables.hpp"

#include "inspect/machine/disassembler.hpp"
#include "inspect/machine/interpreter.hpp"
#include "tests/inspect/machine/assembler.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace tare::inspect;

/// Runs the code of an object up to its first jump, and says where that may lead, as offsets in the code.
std::vector<std::uint64_t> targets_of(const std::string& source) {
  const auto object = machine_test::assemble_object(source);
  if (!object.code) return {};
  const auto text = object.code->sections_named(".text").front();
  const disassembler decoder;
  interpreter machine(*object.code, decoder);
  machine_state state = machine_state::at_entry();
  const auto inside = [&](std::uint64_t address) {
    return address >= text.address && address < text.address + text.content.size();
  };
  for (std::size_t at = 0; at < text.content.size();) {
    const auto insn = decoder.decode(text.content.subspan(at), text.address + at);
    if (!insn) return {};
    if (insn->what == operation::jump) {
      auto found = insn->operands[0].what == operand::kind::in_memory
                       ? machine.tables().targets(*insn, inside)
                       : machine.tables().targets(state.registers[register_index(insn->operands[0].number)], inside);
      for (auto& each : found) each -= text.address;
      return found;
    }
    machine.step(state, *insn, [](const memory_access&) {});
    at += insn->size;
  }
  return {};
}

TEST(jump_tables, of_distances_are_read_to_their_end) {
  EXPECT_EQ(targets_of(R"(
    lea rcx, [rip + table]
    movsxd rax, dword ptr [rcx + 4*rdi]
    add rax, rcx
    jmp rax
  first:
    nop
  second:
    ret
    .section .rodata,"a"
  table:
    .long first - table
    .long second - table
    .long first - table
  )"),
            (std::vector<std::uint64_t>{16, 17, 16}));
}

TEST(jump_tables, of_distances_that_are_extended_afterwards_have_a_sign) {
  EXPECT_EQ(targets_of(R"(
    lea rcx, [rip + table]
    mov eax, dword ptr [rcx + 4*rdi]
    cdqe
    add rax, rcx
    jmp rax
  first:
    ret
    .section .rodata,"a"
  table:
    .long first - table
  )"),
            (std::vector<std::uint64_t>{17}));
}

TEST(jump_tables, that_can_be_written_to_are_not_read) {
  EXPECT_EQ(targets_of(R"(
    lea rcx, [rip + table]
    movsxd rax, dword ptr [rcx + 4*rdi]
    add rax, rcx
    jmp rax
  first:
    ret
    .data
  table:
    .long first - table
  )"),
            std::vector<std::uint64_t>{});
}

TEST(jump_tables, of_addresses_are_read_through_the_jump_itself) {
  EXPECT_EQ(targets_of(R"(
    jmp qword ptr [8*rdi + table]
  first:
    nop
  second:
    ret
    .section .rodata,"a"
  table:
    .quad first
    .quad second
  )"),
            (std::vector<std::uint64_t>{7, 8}));
}

TEST(jump_tables, end_after_entries_that_lead_elsewhere) {
  std::string strays;
  for (int i = 0; i < 16; ++i) strays += "    .quad 1\n";
  EXPECT_EQ(targets_of("jmp qword ptr [8*rdi + table]\nfirst: ret\n.section .rodata,\"a\"\ntable:\n.quad first\n" +
                       strays + ".quad first\n"),
            (std::vector<std::uint64_t>{7}));
}

}  // namespace
