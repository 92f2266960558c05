// Prints the allocated sizes for frames of many sizes: glibc's malloc behind the global operator new,
// and Boost.Asio's cache in front of it, with chunks as malloc counts them.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <malloc.h>

#include <coroutine>
#include <cstdio>
#include <cstring>
#include <exception>

namespace corpus {

[[gnu::noinline]] inline void keep(void* object) { asm volatile("" : : "r"(object) : "memory"); }

class plain {
 public:
  struct promise_type {
    plain get_return_object() { return plain(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  explicit plain(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  plain(const plain&) = delete;
  plain& operator=(const plain&) = delete;
  ~plain() { handle_.destroy(); }
  void* frame() const { return handle_.address(); }

 private:
  std::coroutine_handle<promise_type> handle_;
};

/// Its request is visible in its own code, because it is not inlined.
template <int N>
[[gnu::noinline]] plain of_malloc() {
  char data[N];
  keep(data);
  co_await std::suspend_always();
  keep(data);
}

template <int N>
boost::asio::awaitable<void> of_asio(boost::asio::awaitable<void>& other) {
  char data[N];
  keep(data);
  co_await std::move(other);
  keep(data);
}

/// The handle of the frame; an awaitable stores the address of the promise.
inline void* frame_of(const boost::asio::awaitable<void>& one) {
  using promise = std::coroutine_traits<boost::asio::awaitable<void>>::promise_type;
  static_assert(sizeof one == sizeof(promise*));
  promise* address = nullptr;
  std::memcpy(static_cast<void*>(&address), &one, sizeof address);
  return std::coroutine_handle<promise>::from_promise(*address).address();
}

/// A chunk consists of the usable bytes and a word of malloc's own.
inline void tell(void* frame, const char* name, int n) {
  std::printf("%zu %s<%d>\n", malloc_usable_size(frame) + sizeof(std::size_t), name, n);
}

template <int N>
void measure() {
  plain one = of_malloc<N>();
  keep(&one);
  tell(one.frame(), "of_malloc", N);
  boost::asio::awaitable<void> nothing;
  boost::asio::awaitable<void> two = of_asio<N>(nothing);
  keep(&two);
  tell(frame_of(two), "of_asio", N);
}

}  // namespace corpus

int main() {
  using namespace corpus;
  measure<1>();
  measure<17>();
  measure<32>();
  measure<40>();
  measure<56>();
  measure<64>();
  measure<100>();
  measure<1000>();
  measure<1016>();
  measure<5000>();
}
