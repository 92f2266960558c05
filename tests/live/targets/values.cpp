// One suspended coroutine with variables of many types, of which the test knows what they hold.

#include "announced.hpp"

#include <array>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace values {

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

enum class color : std::int8_t { red = -1, green = 4 };

struct inner {
  int left;
  unsigned right : 3;
};

struct base {
  short number;
};

struct outer : base {
  inner in;
  double share;
};

template <class... Ts>
void use(Ts&...) {
  asm volatile("" ::: "memory");
}

task hold(int argument) {
  int negative = -argument;
  std::uint64_t large = 0xffff'ffff'ffff'ffff;
  bool yes = true;
  char letter = 'x';
  double half = 0.5;
  float third = 0.25F;
  color painted = color::red;
  color unnamed = static_cast<color>(9);
  const char* text = "a \"quoted\" text\n";
  std::string owned = "long enough to be on the heap, beyond fifteen";
  std::string_view view = std::string_view(owned).substr(0, 4);
  char buffer[16] = "in the frame";
  std::array<int, 6> numbers = {1, 2, 3, 4, 5, 6};
  outer nested{{7}, {-8, 5}, 1.5};
  int* nothing = nullptr;
  const char* wild = reinterpret_cast<const char*>(16);
  co_await std::suspend_always{};
  use(negative, large, yes, letter, half, third, painted, unnamed, text, owned, view, buffer, numbers, nested, nothing,
      wild);
}

struct halves {
  std::array<long, 8> before;
  std::array<long, 8> after;
};

volatile long sink = 0;

/// Of a variable the first half has served its time, and the second is still used.
task part(long argument) {
  halves both;
  for (std::size_t i = 0; i < both.before.size(); ++i) both.before[i] = argument + static_cast<long>(i);
  for (std::size_t i = 0; i < both.after.size(); ++i) both.after[i] = sink + argument;
  sink = sink + both.before[static_cast<std::size_t>(argument) % both.before.size()];
  co_await std::suspend_always{};
  sink = sink + both.after[0] + both.after[1] + both.after[2] + both.after[3];
  sink = sink + both.after[4] + both.after[5] + both.after[6] + both.after[7];
}

}  // namespace values

int main() {
  const auto held = values::hold(42);
  const auto parted = values::part(3);
  (void)held;
  (void)parted;
  announce_and_wait({{"hold", 1}, {"part", 1}});
}
