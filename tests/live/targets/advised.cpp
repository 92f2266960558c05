// Many small frames and few large ones, both of which could be lighter: a parameter that is copied.

#include "announced.hpp"

#include <coroutine>
#include <vector>

namespace advised {

struct task {
  struct promise_type {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
  std::coroutine_handle<promise_type> handle;
};

template <int Count>
struct settings {
  int values[Count];
};
template <int Count>
[[gnu::noinline]] int use(const settings<Count>& of) {
  return of.values[3];
}
int total;

task small(settings<24> few) {
  co_await std::suspend_always{};
  total += use(few);
}

task large(settings<104> many) {
  co_await std::suspend_always{};
  total += use(many);
}

}  // namespace advised

int main() {
  std::vector<advised::task> kept;
  for (int i = 0; i < 3'000; ++i) kept.push_back(advised::small({}));
  for (int i = 0; i < 2; ++i) kept.push_back(advised::large({}));
  announce_and_wait({{"small", 3'000}, {"large", 2}});
}
