#pragma once

// Shared by the programs of the corpus: every frame that operator new allocates is recorded under the name of the
// coroutine that was called.

#include <coroutine>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <utility>

namespace corpus {

inline std::size_t last_frame = 0;

/// Reports the size of the frame that a call of this coroutine requested. Its result is destroyed immediately.
#define CORPUS_FRAME(...)                                        \
  do {                                                           \
    ::corpus::last_frame = 0;                                    \
    {                                                            \
      [[maybe_unused]] auto made = __VA_ARGS__;                  \
      ::corpus::keep(&made);                                     \
    }                                                            \
    std::printf("%zu %s\n", ::corpus::last_frame, #__VA_ARGS__); \
  } while (false)

/// After this the optimizer cannot assume anything about the object.
[[gnu::noinline]] inline void keep(void* object) { asm volatile("" : : "r"(object) : "memory"); }

/// Work that the optimizer cannot see.
[[gnu::noinline]] inline int use(const void* object) {
  int result = 1;
  asm volatile("" : "+r"(result) : "r"(object) : "memory");
  return result;
}

/// A hand-written task: lazy, symmetric transfer, the result in the promise.
template <class T>
class task {
 public:
  struct promise_type;
  explicit task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  ~task() {
    if (handle_) handle_.destroy();
  }
  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    handle_.promise().parent = parent;
    return handle_;
  }
  T await_resume() { return std::move(handle_.promise().value); }
  std::coroutine_handle<promise_type> handle() const { return handle_; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

struct recorded_frame {
  static void* operator new(std::size_t bytes) {
    last_frame = bytes;
    void* memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  // clang passes an alignment if the frame needs more than malloc's.
  static void* operator new(std::size_t bytes, std::align_val_t alignment) {
    last_frame = bytes;
    const auto to = static_cast<std::size_t>(alignment);
    void* memory = std::aligned_alloc(to, (bytes + to - 1) / to * to);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  static void operator delete(void* memory) { std::free(memory); }
};

template <class T>
struct task<T>::promise_type : recorded_frame {
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
  void return_value(T result) { value = std::move(result); }
  void unhandled_exception() { std::terminate(); }
  std::coroutine_handle<> parent;
  T value{};
};

/// Starts immediately and deletes itself: no suspension around the body.
class eager {
 public:
  struct promise_type : recorded_frame {
    eager get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

/// Yields values one by one.
template <class T>
class generator {
 public:
  struct promise_type : recorded_frame {
    generator get_return_object() { return generator(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(T one) {
      current = std::move(one);
      return {};
    }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
    T current{};
  };
  explicit generator(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  generator(const generator&) = delete;
  generator& operator=(const generator&) = delete;
  ~generator() { handle_.destroy(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

inline std::coroutine_handle<> parked;

/// Waits until someone resumes it.
struct pause {
  int result = 0;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { parked = waiting; }
  int await_resume() const noexcept { return result; }
};

}  // namespace corpus
