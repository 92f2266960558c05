// More coroutines than a table shows by default.

#include "recorded.hpp"

namespace corpus {

template <int N>
task<int> one_of_many(int n) {
  char data[N];
  use(data);
  int r = co_await pause{n};
  co_return r + use(data);
}

template <int... N>
int start(std::integer_sequence<int, N...> /*numbers*/) {
  return (use(one_of_many<N + 1>(N).handle().address()) + ...);
}

}  // namespace corpus

int main() { return corpus::start(std::make_integer_sequence<int, 120>()) == 0 ? 1 : 0; }
