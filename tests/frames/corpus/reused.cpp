// A variable whose place is used by an unnamed object before its declaration.

#include <coroutine>
#include <exception>

struct task {
  struct promise_type {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;
};

void remember(void*);
long forget(void*);

struct operation {
  long state[6];
  explicit operation(long n) {
    for (auto& one : state) one = n;
  }
  static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<>) { remember(this); }
  long await_resume() { return forget(this); }
};

struct info {
  long words[6];
};

task scheduler(long n) {
  long sum = co_await operation(n);  // FIRST
  if (sum != 0) {
    info later{};
    remember(&later);
    co_await std::suspend_always{};  // SECOND
    sum += forget(&later);
  }
  remember(&sum);
}
