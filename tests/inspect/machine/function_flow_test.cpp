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

}  // namespace
