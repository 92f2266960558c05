#include <tare/task.hpp>

tare::task<int> one() { co_return 1; }

tare::task<int> twice() {
  auto named = one();
  co_return co_await named;
}
