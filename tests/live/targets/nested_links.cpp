// Tasks whose promise keeps who goes on after it in a member of a member, beside other handles, as folly's does.

#include "announced.hpp"

#include <coroutine>
#include <cstdlib>
#include <exception>
#include <utility>
#include <vector>

namespace nested {

struct extended_promise {
  virtual ~extended_promise() = default;
};

struct extended_handle {
  std::coroutine_handle<> basic = std::noop_coroutine();
  extended_promise* extended = nullptr;
};

struct promise_base : extended_promise {
  std::coroutine_handle<> scheduled;  // of an executor, not of who waits
  void* async_frame[2] = {};
  extended_handle continuation;
};

struct task {
  struct promise_type : promise_base {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;

  static bool await_ready() noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> waiting) const noexcept {
    frame.promise().continuation = {waiting, &waiting.promise()};
    return frame;
  }
  static void await_resume() noexcept {}
};

volatile unsigned long sink = 0;

task leaf(unsigned long number) {
  co_await std::suspend_always{};
  sink = sink + number;
}

task middle(unsigned long number) {
  co_await leaf(number);
  sink = sink + number;
}

task root(unsigned long number) {
  co_await middle(number);
  sink = sink + number;
}

}  // namespace nested

int main(int argc, char** argv) {
  const unsigned long chains = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 5000;
  std::vector<std::coroutine_handle<>> kept;
  for (unsigned long i = 0; i < chains; ++i) {
    kept.push_back(nested::root(i).frame);
    kept.back().resume();
  }
  announce_and_wait({{"leaf", chains}, {"middle", chains}, {"root", chains}});
}
