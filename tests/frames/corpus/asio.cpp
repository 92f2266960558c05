// Coroutines of Boost.Asio. Its promise takes memory from a cache of its own, which requests more from the allocator
// when it is empty; here it is configured to keep none.

#define BOOST_ASIO_DISABLE_AWAITABLE_FRAME_RECYCLING 1

#include "recorded.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <string>
#include <vector>

namespace frames {

using boost::asio::awaitable;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using corpus::use;

awaitable<void> nothing() { co_return; }
awaitable<void> waits(boost::asio::steady_timer& timer) { co_await timer.async_wait(use_awaitable); }
awaitable<void> sleeps() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  timer.expires_after(std::chrono::hours(1));
  co_await timer.async_wait(use_awaitable);
}
awaitable<void> echo(tcp::socket& socket) {
  char data[1024];
  while (true) {
    const std::size_t n = co_await socket.async_read_some(boost::asio::buffer(data), use_awaitable);
    co_await boost::asio::async_write(socket, boost::asio::buffer(data, n), use_awaitable);
  }
}
awaitable<std::size_t> reads(tcp::socket& socket, std::string& into) {
  std::array<char, 64> data;
  const std::size_t n = co_await socket.async_read_some(boost::asio::buffer(data), use_awaitable);
  into.append(data.data(), n);
  co_return n;
}
awaitable<std::string> reads_all(tcp::socket& socket) {
  std::string all;
  while (co_await reads(socket, all) != 0) {
  }
  co_return all;
}

template <class T, std::size_t N>
awaitable<int> array_of(boost::asio::steady_timer& timer) {
  T items[N]{};
  use(&items);
  co_await timer.async_wait(use_awaitable);
  co_return use(&items);
}

template <class T>
awaitable<T> value_of(boost::asio::steady_timer& timer, T one) {
  T other = one;
  use(&other);
  co_await timer.async_wait(use_awaitable);
  co_return other;
}

}  // namespace frames

// Asio's promise has its own operator new, which calls this one.
void* operator new(std::size_t bytes) {
  corpus::last_frame = bytes;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  corpus::last_frame = bytes;
  const auto to = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(to, (bytes + to - 1) / to * to);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#define CORPUS_ARRAYS(type)               \
  CORPUS_FRAME(array_of<type, 1>(timer)); \
  CORPUS_FRAME(array_of<type, 7>(timer)); \
  CORPUS_FRAME(array_of<type, 33>(timer));

int main() {
  using namespace frames;
  boost::asio::io_context context;
  boost::asio::steady_timer timer(context);
  tcp::socket socket(context);
  std::string into;
  CORPUS_FRAME(nothing());
  CORPUS_FRAME(waits(timer));
  CORPUS_FRAME(sleeps());
  CORPUS_FRAME(echo(socket));
  CORPUS_FRAME(reads(socket, into));
  CORPUS_FRAME(reads_all(socket));
  CORPUS_ARRAYS(char)
  CORPUS_ARRAYS(short)
  CORPUS_ARRAYS(int)
  CORPUS_ARRAYS(double)
  CORPUS_ARRAYS(std::string)
  CORPUS_FRAME(value_of<char>(timer, 'a'));
  CORPUS_FRAME(value_of<int>(timer, 1));
  CORPUS_FRAME(value_of<double>(timer, 1));
  CORPUS_FRAME(value_of<std::string>(timer, "a"));
}
