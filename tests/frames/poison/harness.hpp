#pragma once

// What the generated coroutines of the poison test share: a task, a generator, awaiters that the driver completes, and
// the driver. It resumes a coroutine step by step. Before each step it overwrites every byte of the suspended frames
// that a table calls dead, so a byte that is used later changes the checksum of the results, or crashes.

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace poison {

/// A value that the optimizer does not know.
[[gnu::noinline]] int opaque(int n);
/// Uses of memory that it cannot see.
[[gnu::noinline]] int sum(const int* numbers, std::size_t count);
[[gnu::noinline]] int sum(const std::string& text);
[[gnu::noinline]] void scramble(int* numbers, std::size_t count, int by);

extern unsigned noise;  ///< changed by destructors

inline int mix(int a, int b) {
  return static_cast<int>((static_cast<unsigned>(a) * 31U + static_cast<unsigned>(b)) ^
                          (static_cast<unsigned>(a) >> 7));
}

/// Sums that the optimizer may unroll and vectorize.
template <class T>
int total(const T& numbers) {
  int result = 3;
  for (const int one : numbers) result = mix(result, one);
  return result;
}

/// An object whose destructor has a visible effect.
struct noisy {
  explicit noisy(int n) : number(n) {}
  noisy(const noisy&) = delete;
  noisy& operator=(const noisy&) = delete;
  ~noisy() { noise = static_cast<unsigned>(mix(static_cast<int>(noise), number)); }
  int number;
};

struct thing {
  explicit thing(int n) : first(n), text(static_cast<std::size_t>(n & 31), 'x'), numbers{n, n + 1, n + 2}, last(-n) {}
  int first;
  std::string text;
  int numbers[3];
  int last;
};

/// g++ 12 rejects braced lists among the arguments of an awaited call.
inline std::vector<int> list(int first, int second, int third) { return {first, second, third}; }
template <std::size_t N>
std::array<int, N> row(int first) {
  return {first, first + 2};
}

struct frame_memory {
  static void* operator new(std::size_t bytes);
  static void operator delete(void* memory) noexcept;
};

class task {
 public:
  struct promise_type : frame_memory {
    struct final_awaiter {
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        return self.promise().parent ? self.promise().parent : std::noop_coroutine();
      }
      void await_resume() const noexcept {}
    };
    task get_return_object() { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    final_awaiter final_suspend() noexcept { return {}; }
    void return_value(int n) { value = n; }
    void unhandled_exception() { problem = std::current_exception(); }
    std::coroutine_handle<> parent;
    std::exception_ptr problem;
    int value = 0;
  };
  explicit task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  task& operator=(task&&) = delete;
  ~task() {
    if (handle_) handle_.destroy();
  }
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    handle_.promise().parent = parent;
    return handle_;
  }
  int await_resume() {
    if (handle_.promise().problem) std::rethrow_exception(handle_.promise().problem);
    return handle_.promise().value;
  }
  [[nodiscard]] std::coroutine_handle<promise_type> handle() const { return handle_; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

class generator {
 public:
  struct promise_type : frame_memory {
    generator get_return_object() { return generator(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(int n) {
      value = n;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
    int value = 0;
  };
  explicit generator(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  generator(const generator&) = delete;
  generator& operator=(const generator&) = delete;
  ~generator() { handle_.destroy(); }
  bool next() {
    handle_.resume();
    return !handle_.done();
  }
  [[nodiscard]] int value() const { return handle_.promise().value; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

/// The work of the driver between two steps.
struct operation {
  std::coroutine_handle<> waiting;
  int* fill = nullptr;
  const int* drain = nullptr;
  std::size_t count = 0;
};
extern operation pending;

struct step {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const noexcept;
  void await_resume() const noexcept {}
};

/// Keeps its number across the suspension.
struct give {
  int number;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const noexcept;
  int await_resume() const noexcept { return number; }
};

/// Does not always suspend.
struct maybe {
  int number;
  bool await_ready() const noexcept { return (number & 1) != 0; }
  void await_suspend(std::coroutine_handle<> waiting) const noexcept;
  int await_resume() const noexcept { return number / 2; }
};

/// The driver writes to the memory while the coroutine is suspended, as the kernel would for a read.
struct fill {
  int* to;
  std::size_t count;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const noexcept;
  int await_resume() const noexcept { return static_cast<int>(count); }
};

/// The driver reads it.
struct drain {
  const int* from;
  std::size_t count;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const noexcept;
  void await_resume() const noexcept {}
};

/// Continues with an exception if the number is even.
struct fail {
  int number;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const noexcept;
  int await_resume() const {
    if (number % 2 == 0) throw number;
    return number;
  }
};

/// Creates one of the coroutines.
using maker = std::function<task()>;
struct entry {
  const char* name;
  maker make;
};
std::vector<entry> entries();  ///< written by generate.py

}  // namespace poison
