// A coroutine with a budget in a header: two units contain its code, and the linker keeps one copy.

#include "recorded.hpp"

#include <tare/frame_budget.hpp>

namespace corpus {

inline task<int> shared(int n) {
  TARE_FRAME_BUDGET(4096);
  int r = co_await pause{n};
  co_return r;
}

task<int> elsewhere(int n);

}  // namespace corpus

#ifdef IN_UNIT_one
corpus::task<int> corpus::elsewhere(int n) { return shared(n); }
#else
int main() {
  CORPUS_FRAME(corpus::shared(1));
  CORPUS_FRAME(corpus::elsewhere(1));
}
#endif
