// Where a function goes on after a call, in object files that llvm-mc makes.

#include "inspect/machine/function_flow.hpp"

#include "inspect/machine/disassembler.hpp"
#include "inspect/machine/landing_pads.hpp"
#include "tests/inspect/machine/assembler.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace tare::inspect;

/// Whether the code after a call of this function is reached from the call. A pointer in rax is stored through where
/// Whether the code after a call of this function is reached from the call. The store is where two paths meet: one
/// that passes by the call, and one that comes from it if the function returns.
bool goes_on_after(const std::string& callee) {
  const auto object = machine_test::assemble_object(fmt::format(R"(
    test esi, esi
    jne report
  write:
    mov byte ptr [rdi + 17], 1
    ret
  report:
    call {}
    jmp write
  )",
                                                                callee));
  const auto text = object.code->sections_named(".text").front();
  const disassembler decoder;
  const landing_pads pads(*object.code);
  const function_flow flow(*object.code, decoder, pads, {{text.address, text.address + text.content.size()}});
  for (std::size_t i = 0; i < flow.instructions().size(); ++i) {
    for (const auto& access : flow.accesses(i)) {
      if (access.what != memory_access::kind::write) continue;
      // A call may change rdi: after it, what lies there is not known.
      return access.base != first_argument_origin;
    }
  }
  ADD_FAILURE() << "the store was not found";
  return false;
}

TEST(function_flow, does_not_go_on_after_a_call_that_ends_the_program) {
  for (const char* callee :
       {"abort", "_ZSt9terminatev", "__cxa_throw", "_Unwind_Resume", "_ZSt20__throw_length_errorPKc",
        "__asan_report_load1", "__asan_report_store8", "__asan_report_load_n", "__ubsan_handle_type_mismatch_v1_abort",
        "__ubsan_handle_builtin_unreachable", "__ubsan_handle_missing_return"}) {
    EXPECT_FALSE(goes_on_after(callee)) << callee;
  }
}

TEST(function_flow, goes_on_after_every_other_call) {
  for (const char* callee : {"puts", "__asan_report_load1_noabort", "__asan_report_store_n_noabort", "__asan_load8",
                             "__asan_handle_no_return", "__asan_stack_malloc_1", "__ubsan_handle_type_mismatch_v1",
                             "__tsan_write1", "__tsan_func_entry"}) {
    EXPECT_TRUE(goes_on_after(callee)) << callee;
  }
}

/// Where a function that dispatches on a byte goes on when the byte is 1, as a distance from its beginning.
std::uint64_t entered(const std::string& before_dispatch) {
  const auto object = machine_test::assemble_object(before_dispatch + R"(
    movzx eax, byte ptr [rbx + 8]
    cmp eax, 1
    je resumed
    ret
    .p2align 8
  resumed:
    ret
  )");
  const auto text = object.code->sections_named(".text").front();
  const disassembler decoder;
  const landing_pads pads(*object.code);
  const function_flow flow(*object.code, decoder, pads, {{text.address, text.address + text.content.size()}});
  const function_flow::known_word index{.offset = 8, .bytes = 1, .content = 1};
  return flow.enter({&index, 1}).address - text.address;
}

TEST(function_flow, enters_through_calls_that_only_observe) {
  constexpr std::uint64_t resumed = 256;
  for (const char* callee : {"__tsan_func_entry", "__tsan_read1", "__sanitizer_cov_trace_pc_guard", "__asan_load1",
                             "__cyg_profile_func_enter", "__fentry__", "mcount"}) {
    EXPECT_EQ(entered(fmt::format("mov rbx, rdi\nlea rdi, [rbx + 8]\ncall {}\n", callee)), resumed) << callee;
  }
  for (const char* callee : {"puts", "__asan_report_load1", "_ZN3one4callEv"}) {
    EXPECT_EQ(entered(fmt::format("mov rbx, rdi\nlea rdi, [rbx + 8]\ncall {}\n", callee)), 0U) << callee;
  }
}

}  // namespace
