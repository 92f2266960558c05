#pragma once

#include <tare/task.hpp>

namespace tare::detail {

/// Runs `body` to its end in a runtime of its own, on the calling thread, which waits. In a task, which must not wait
/// like that, the program is aborted with a message that names `call` and `instead`. Throws what `body` throws, and
/// std::bad_alloc.
void run_outside(const char* call, const char* instead, task<> body);

}  // namespace tare::detail
