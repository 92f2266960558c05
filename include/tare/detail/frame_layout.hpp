#pragma once

// A guard against frames that g++ 12 lays out wrongly.
//
// When the body of a coroutine begins with a statement whose condition holds a co_await, `if (!co_await x) …`, and
// declares no variable beside it, g++ 12.2 puts a flag of its own in front of the frame. The promise is then not where
// coroutine_handle, of any library, looks for it, and resuming runs the body on the wrong addresses. Here that ends the
// program with the way out, instead of a task that never wakes. The check is folded away where the frame is right.

#include <cstddef>

namespace tare::detail {

#if !defined(__clang__)
inline thread_local constinit std::byte* newest_frame = nullptr;
#endif

/// Prints what to change and aborts. Out of line (src/frame/frame_layout.cpp), and in a library that clang has built
/// too: its user's compiler may be another.
[[noreturn]] void misplaced_promise() noexcept;

}  // namespace tare::detail
