// Objects that are used while the coroutine is suspended: none of them must be advised to end before the await.
#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>
struct task {
  struct promise_type {
    std::coroutine_handle<> continuation;
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct final_awaiter {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept {
        auto c = h.promise().continuation;
        return c ? c : std::noop_coroutine();
      }
      void await_resume() noexcept {}
    };
    final_awaiter final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept {}
  };
  std::coroutine_handle<promise_type> handle;
  bool await_ready() { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) {
    handle.promise().continuation = h;
    return handle;
  }
  void await_resume() {}
};
struct read_op {
  void* to;
  std::size_t n;
  std::size_t got = 0;
  std::coroutine_handle<> h{};
  bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> by) noexcept;
  std::size_t await_resume() noexcept { return got; }
};
struct node {
  node* next = nullptr;
  std::coroutine_handle<> h;
  char pad[100];
};
struct wait_in_list {
  node& n;
  bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> by) noexcept;
  void await_resume() noexcept {}
};
void enlist(node&);
std::size_t total = 0;
// 1. The buffer is written to while this is suspended; only the number of bytes is used afterwards.
task reads() {
  char buffer[4096];
  total += co_await read_op{buffer, sizeof buffer};
}
// 2. The object is in a list while this is suspended.
task in_list() {
  node here;
  enlist(here);
  co_await wait_in_list{here};
}
// 3. A lambda coroutine refers to its closure, which has to live until it ends.
task closure(int* p) {
  char a[64] = {1};
  auto child = [=]() -> task {
    co_await read_op{p, 4};
    total += a[3];
  };
  co_await child();
}
// 4. A structure that a child coroutine writes its result to.
struct big {
  char bytes[512];
};
task fills(big& b) { co_await read_op{b.bytes, 512}; }
task has_child() {
  big result;
  co_await fills(result);
}
int main() {
  auto a = reads();
  a.handle.resume();
  auto b = in_list();
  b.handle.resume();
  int x = 0;
  auto c = closure(&x);
  c.handle.resume();
  auto d = has_child();
  d.handle.resume();
}
