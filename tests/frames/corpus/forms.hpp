#pragma once

// Shared by the units of forms.cpp: a coroutine that both have, and their tasks and awaiters.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>

namespace forms {

void use(const void* object) noexcept;
bool ask() noexcept;

struct task {
  struct promise_type {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
  std::coroutine_handle<promise_type> handle;
};

/// Its unhandled_exception() does not return: it calls a function that is declared [[noreturn]], or one that is not.
template <bool known>
struct final_task {
  struct promise_type {
    final_task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept {
      if constexpr (known) std::terminate();
      fail();
    }
  };
  [[noreturn]] static void fail() noexcept;
  std::coroutine_handle<promise_type> handle;
};

/// Its promise has an operator new that is a template, as some libraries have for an allocator among the arguments.
struct pooled {
  struct promise_type {
    template <class... Arguments>
    static void* operator new(std::size_t bytes, Arguments&&...) {
      return ::operator new(bytes + 32);
    }
    static void operator delete(void* frame, std::size_t) { ::operator delete(frame); }
    pooled get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
  std::coroutine_handle<promise_type> handle;
};

/// Never suspends at its end.
struct detached {
  struct promise_type {
    detached get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

struct event {
  bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept;
  void await_resume() noexcept {}
};

inline task in_both_units(int n) {  // coroutine both
  int numbers[20];
  use(numbers);
  co_await event{};  // await both
  use(&numbers[n]);
  co_await event{};  // await both
}

}  // namespace forms
