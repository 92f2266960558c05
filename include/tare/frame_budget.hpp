#pragma once

// A limit on the frame size of a coroutine, written in its body and enforced by `tare check` after the build.
//
//   tare::task<> serve(tare::net::stream connection) {
//     TARE_FRAME_BUDGET(256);
//     ...
//   }
//
// It costs no instruction and no byte of the frame, only 16 bytes in a read-only section of the program. It works in
// coroutines of any library. The frame size is the number of bytes requested from operator new.

#include <tare/abi/frame_budget.hpp>

// A macro, because the number must reach the assembler inside the coroutine's own code. Each entry of the section is
// four 32-bit numbers: the distance to an address in the coroutine's code, the budget, the line, and the file. The last
// two are needed because the code may have been inlined into another coroutine.
#if defined(__x86_64__) && defined(__ELF__)
#define TARE_FRAME_BUDGET(bytes)                                                                                       \
  do {                                                                                                                 \
    static_assert((bytes) > 0 && (bytes) <= 0x7fffffff, "a budget is a number of bytes above 0");                      \
    __asm__ volatile(                                                                                                  \
        "998:\n\t.pushsection .tare.budgets,\"aR?\",@progbits\n\t.long 998b - .\n\t.long %c0, %c1, %c2\n\t.popsection" \
        :                                                                                                              \
        : "i"(bytes), "i"(__LINE__), "i"(::tare::abi::constant<::tare::abi::file_mark(__FILE__)>));                    \
  } while (false)
#else
#define TARE_FRAME_BUDGET(bytes) static_assert((bytes) > 0, "a budget is a number of bytes above 0")
#endif
