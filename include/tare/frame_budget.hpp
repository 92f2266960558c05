#pragma once

// A limit for the frame of one coroutine, written beside its code and held by `tare check` after the build.
//
//   tare::task<> serve(tare::net::stream connection) {
//     TARE_FRAME_BUDGET(256);
//     ...
//   }
//
// It costs no instruction and no byte of the frame: 16 bytes in a read-only section of the program say where the budget
// belongs. It works in coroutines of any library. The frame is what operator new is asked for, in bytes.

#include <tare/abi/frame_budget.hpp>

// A macro, since the number has to reach the assembler from where the coroutine's own code is. The section is made up
// of four 32-bit numbers each: the distance to a place in the coroutine's code, the budget, and the line and the file,
// since the code may have been inlined into another coroutine.
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
