// Coroutines of this library. The linker inserts a recorder before the arena.

#include "recorded.hpp"

#include <tare/tare.hpp>

#include <array>
#include <chrono>
#include <string>
#include <vector>

extern "C" {
void* __real__ZN4tare6detail14allocate_frameEmm(std::size_t bytes, std::size_t alignment);
void* __wrap__ZN4tare6detail14allocate_frameEmm(std::size_t bytes, std::size_t alignment) {
  corpus::last_frame = bytes;
  return __real__ZN4tare6detail14allocate_frameEmm(bytes, alignment);
}
}

namespace ours {

using namespace std::chrono_literals;
using corpus::use;
using tare::task;

task<> sleeps() { co_await tare::sleep_for(1h); }
task<> yields() { co_await tare::yield(); }
task<> sleeps_twice() {
  co_await tare::sleep_for(1h);
  co_await tare::sleep_for(2h);
}
task<int> parameter(int n) {
  co_await tare::sleep_for(1h);
  co_return n;
}
task<int> child(int n) { co_return n + co_await parameter(n); }
task<> void_child() { co_await sleeps(); }
task<std::string> text(std::string given) {
  co_await tare::yield();
  co_return given + "x";
}
task<std::size_t> text_length(std::string given) {
  std::string made = co_await text(given);
  co_await tare::yield();
  co_return made.size() + given.size();
}
task<int> buffer() {
  char data[512];
  use(data);
  co_await tare::sleep_for(1h);
  co_return use(data);
}
task<> in_loop(int n) {
  for (int i = 0; i < n; ++i) co_await tare::sleep_for(std::chrono::milliseconds(i));
}
task<> locks(tare::mutex& mutex) {
  auto locked = co_await mutex.lock();
  co_await tare::yield();
}
task<> waits(tare::event& event) { co_await event.wait(); }
task<int> catches() {
  int r = 0;
  try {
    r = co_await parameter(3);
  } catch (const std::exception&) {
    r = 4;
  }
  co_await tare::yield();
  co_return r;
}

template <class T, std::size_t N>
task<int> array_of() {
  T items[N]{};
  use(&items);
  co_await tare::yield();
  co_return use(&items);
}

template <class T>
task<T> value_of(T one) {
  T other = one;
  use(&other);
  co_await tare::yield();
  co_return other;
}

}  // namespace ours

#define CORPUS_ARRAYS(type)          \
  CORPUS_FRAME(array_of<type, 1>()); \
  CORPUS_FRAME(array_of<type, 5>()); \
  CORPUS_FRAME(array_of<type, 64>());

int main() {
  using namespace ours;
  tare::mutex mutex;
  tare::event event;
  CORPUS_FRAME(sleeps());
  CORPUS_FRAME(yields());
  CORPUS_FRAME(sleeps_twice());
  CORPUS_FRAME(parameter(1));
  CORPUS_FRAME(child(1));
  CORPUS_FRAME(void_child());
  CORPUS_FRAME(text("a"));
  CORPUS_FRAME(text_length("a"));
  CORPUS_FRAME(buffer());
  CORPUS_FRAME(in_loop(1));
  CORPUS_FRAME(locks(mutex));
  CORPUS_FRAME(waits(event));
  CORPUS_FRAME(catches());
  CORPUS_ARRAYS(char)
  CORPUS_ARRAYS(int)
  CORPUS_ARRAYS(double)
  CORPUS_ARRAYS(std::string)
  CORPUS_FRAME(value_of<char>('a'));
  CORPUS_FRAME(value_of<int>(1));
  CORPUS_FRAME(value_of<double>(1));
  CORPUS_FRAME(value_of<std::string>("a"));
  CORPUS_FRAME(value_of<std::vector<int>>(std::vector<int>(3)));
}
