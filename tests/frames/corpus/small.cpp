// Three coroutines, to be built in many forms.

#include "recorded.hpp"

#include <tare/frame_budget.hpp>

namespace corpus {

[[gnu::visibility("default")]] task<int> leaf(int n) {
  TARE_FRAME_BUDGET(64);
  char data[100];
  use(data);
  int r = co_await pause{n};
  co_return r + use(data);
}

[[gnu::visibility("default")]] task<int> middle(int n) {
  int r = co_await leaf(n);
  co_return r + n;
}

[[gnu::visibility("default")]] task<int> top(int n) {
  TARE_FRAME_BUDGET(4096);
  int r = co_await middle(n);
  co_return r + n;
}

}  // namespace corpus

int main() {
  CORPUS_FRAME(corpus::leaf(1));
  CORPUS_FRAME(corpus::middle(1));
  CORPUS_FRAME(corpus::top(1));
}
