// Coroutines with advice, each beside the one that follows the advice.

#include "recorded.hpp"

namespace corpus {

/// Only the children's frames refer to these, so clang may merge a child's frame into its caller's.
class merging {
 public:
  struct promise_type : recorded_frame {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    merging get_return_object() { return merging(std::coroutine_handle<promise_type>::from_promise(*this)); }
    static std::suspend_always initial_suspend() noexcept { return {}; }
    static auto final_suspend() noexcept {
      struct resume_continuation {
        static bool await_ready() noexcept { return false; }
        static std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().continuation;
        }
        static void await_resume() noexcept {}
      };
      return resume_continuation{};
    }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
  explicit merging(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  merging(const merging&) = delete;
  merging& operator=(const merging&) = delete;
  ~merging() {
    if (frame_) frame_.destroy();
  }
  auto operator co_await() && {
    struct awaiter {
      std::coroutine_handle<promise_type> child;
      static bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
        child.promise().continuation = waiting;
        return child;
      }
      static void await_resume() noexcept {}
    };
    return awaiter{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

merging heavy(int n) {
  char data[200];
  use(data);
  co_await pause{n};
  use(data);
}

[[gnu::noinline]] merging heavy_apart(int n) {
  char data[200];
  use(data);
  co_await pause{n};
  use(data);
}

merging awaits_heavy(int n) {
  co_await pause{1};
  co_await heavy(n);
  use(&n);
}

merging awaits_heavy_apart(int n) {
  co_await pause{1};
  co_await heavy_apart(n);
  use(&n);
}

/// It is always in the child.
merging only_awaits_heavy(int n) { co_await heavy(n); }

struct loose {
  char a;
  double b;
  char c;
  double d;
  short e;
  double f;
};

struct tight {
  double b;
  double d;
  double f;
  short e;
  char a;
  char c;
};

/// 7 bytes of padding are in the middle, but they would only move to the end.
struct as_small_as_it_gets {
  char a;
  double b;
};

struct with_base : as_small_as_it_gets {
  char c;
  double d;
  char e;
};

struct packed {
  unsigned a : 3;
  double b;
  unsigned c : 3;
  double d;
};

template <class T>
task<int> keeps(int n) {
  T value{};
  use(&value);
  int r = co_await pause{n};
  co_return r + use(&value);
}

template <class T>
task<int> keeps_many(int n) {
  T values[4]{};
  use(&values);
  int r = co_await pause{n};
  co_return r + use(&values);
}

template <class T>
task<int> drops(int n) {
  {
    T value{};
    use(&value);
  }
  int r = co_await pause{n};
  co_return r;
}

}  // namespace corpus

int main() {
  CORPUS_FRAME(corpus::heavy(1));
  CORPUS_FRAME(corpus::heavy_apart(1));
  CORPUS_FRAME(corpus::awaits_heavy(1));
  CORPUS_FRAME(corpus::awaits_heavy_apart(1));
  CORPUS_FRAME(corpus::only_awaits_heavy(1));
  CORPUS_FRAME(corpus::keeps<corpus::loose>(1));
  CORPUS_FRAME(corpus::keeps<corpus::tight>(1));
  CORPUS_FRAME(corpus::keeps<corpus::as_small_as_it_gets>(1));
  CORPUS_FRAME(corpus::keeps<corpus::with_base>(1));
  CORPUS_FRAME(corpus::keeps<corpus::packed>(1));
  CORPUS_FRAME(corpus::keeps_many<corpus::loose>(1));
  CORPUS_FRAME(corpus::keeps_many<corpus::tight>(1));
  CORPUS_FRAME(corpus::drops<corpus::loose>(1));
}
