#include <tare/detail/frame_layout.hpp>

#include <cstdio>
#include <cstdlib>

namespace tare::detail {

void misplaced_promise() noexcept {
  std::fputs(
      "tare: g++ has generated an incorrect frame for a coroutine (the stack shows which one): its body begins with a\n"
      "condition that contains a co_await, such as 'if (!co_await x)'. Name the result first: 'const auto ok = "
      "co_await "
      "x;'\n",
      stderr);
  std::abort();
}

}  // namespace tare::detail
