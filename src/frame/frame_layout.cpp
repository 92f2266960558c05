#include <tare/detail/frame_layout.hpp>

#include <cstdio>
#include <cstdlib>

namespace tare::detail {

void misplaced_promise() noexcept {
  std::fputs(
      "tare: g++ has laid out the frame of a coroutine wrongly (the stack shows which one): its body begins with a\n"
      "condition that holds a co_await, such as 'if (!co_await x)'. Give the result a name first: 'const auto ok = "
      "co_await x;'\n",
      stderr);
  std::abort();
}

}  // namespace tare::detail
