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
  switch_bounds bounds;
  const auto inside = [&](std::uint64_t address) {
    return address >= text.address && address < text.address + text.content.size();
  };
  for (std::size_t at = 0; at < text.content.size();) {
    const auto insn = decoder.decode(text.content.subspan(at), text.address + at);
    if (!insn) return {};
    if (insn->what == operation::jump) {
      const operand& to = insn->operands[0];
      auto found = to.what == operand::kind::in_memory
                       ? machine.tables().targets(state, *insn, bounds, inside)
                       : machine.tables().targets(state.registers[register_index(to.number)], bounds, inside);
      for (auto& one : found) one -= text.address;
      return found;
    }
    bounds.see(state, *insn);
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

/// A jump through a table of two entries, which a third one follows that leads to the code, too.
std::vector<std::uint64_t> targets_with_neighbour(const std::string& before, const std::string& load) {
  auto found = targets_of(before + load + R"(
    add rax, rcx
    jmp rax
  first:
    nop
  second:
    nop
  third:
    ret
    .section .rodata,"a"
  table:
    .long first - table
    .long second - table
  neighbour:
    .long third - table
  )");
  for (std::size_t i = found.size(); i-- > 0;) found[i] -= found[0];
  return found;
}

const std::string unbounded_load = "lea rcx, [rip + table]\nmovsxd rax, dword ptr [rcx + 4*rdi]";

TEST(jump_tables, have_as_many_entries_as_the_index_has_values) {
  const std::vector<std::uint64_t> two{0, 1};
  EXPECT_EQ(targets_with_neighbour("cmp edi, 1\nja first\n", unbounded_load), two);
  EXPECT_EQ(targets_with_neighbour("cmp edi, 2\njae first\n", unbounded_load), two);
  EXPECT_EQ(targets_with_neighbour("mov rdx, rdi\nsub rdx, 1\nja first\n", unbounded_load), two);
  // As g++ has it without optimization.
  EXPECT_EQ(targets_with_neighbour(R"(
    mov qword ptr [rbp - 8], rdi
    mov rax, qword ptr [rbp - 8]
    movzx eax, word ptr [rax + 48]
    movzx eax, ax
    cmp eax, 1
    ja first
    mov eax, eax
    lea rdx, [4*rax]
    lea rax, [rip + table]
    mov eax, dword ptr [rdx + rax]
    cdqe
    lea rcx, [rip + table]
  )",
                                   ""),
            two);
}

TEST(jump_tables, do_not_end_where_something_else_was_compared) {
  const std::vector<std::uint64_t> three{0, 1, 2};
  EXPECT_EQ(targets_with_neighbour("cmp esi, 1\nja first\n", unbounded_load), three);
  EXPECT_EQ(targets_with_neighbour("cmp edi, 1\nje first\n", unbounded_load), three);
  EXPECT_EQ(targets_with_neighbour("cmp edi, 1\n", unbounded_load), three);
  EXPECT_EQ(targets_with_neighbour("cmp edi, esi\nja first\n", unbounded_load), three);
  EXPECT_EQ(targets_with_neighbour("cmp edi, 1\nja first\nmov edi, dword ptr [rsi]\n", unbounded_load), three);
}

TEST(jump_tables, end_where_another_begins) {
  EXPECT_EQ(targets_with_neighbour("lea rcx, [rip + neighbour]\nmovsxd rax, dword ptr [rcx + 4*rsi]\n", unbounded_load),
            (std::vector<std::uint64_t>{0, 1}));
}

TEST(jump_tables, end_after_entries_that_lead_elsewhere) {
  std::string strays;
  for (int i = 0; i < 16; ++i) strays += "    .quad 1\n";
  EXPECT_EQ(targets_of("jmp qword ptr [8*rdi + table]\nfirst: ret\n.section .rodata,\"a\"\ntable:\n.quad first\n" +
                       strays + ".quad first\n"),
            (std::vector<std::uint64_t>{7}));
}

}  // namespace
