#pragma once

// A guard against incorrect frame layouts of g++ 12.
//
// When the body of a coroutine begins with a statement whose condition holds a co_await, `if (!co_await x) …`, and
// declares no variable, g++ 12.2 puts a flag of its own in front of the frame. Then the promise is not where
// coroutine_handle, in any library, expects it, and the resumed body uses wrong addresses. This check aborts the
// program with a message that says what to change, instead of leaving a task that never wakes. If the layout is
// correct, the compiler optimizes the check away.

#include <cstddef>

namespace tare::detail {

#if !defined(__clang__)
inline thread_local constinit std::byte* newest_frame = nullptr;
#endif

/// Prints what to change and aborts. Out of line (src/frame/frame_layout.cpp), and also in libraries built with clang,
/// because the user's compiler may be g++.
[[noreturn]] void misplaced_promise() noexcept;

}  // namespace tare::detail
