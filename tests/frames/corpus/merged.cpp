// A program with one budget, whose coroutine has no frame after optimization.

#include "recorded.hpp"

#include <tare/frame_budget.hpp>

namespace corpus {

/// Has no operator new of its own, so the frame may be merged into the caller's.
class number {
 public:
  struct promise_type {
    number get_return_object() { return number(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_value(int result) { value = result; }
    void unhandled_exception() { std::terminate(); }
    int value = 0;
  };
  explicit number(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  number(const number&) = delete;
  number& operator=(const number&) = delete;
  ~number() { handle_.destroy(); }
  int get() {
    handle_.resume();
    return handle_.promise().value;
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

static number merged(int n) {
  TARE_FRAME_BUDGET(64);
  co_return n + 1;
}

}  // namespace corpus

int main(int arguments, char**) { return corpus::merged(arguments).get(); }
