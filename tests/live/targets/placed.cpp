// Frames whose promises have an operator new of their own, which puts something before them or behind, and frames in a
// pool.

#include "announced.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

unsigned long sum = 0;  ///< what malloc takes for the frames that are made

void* from_malloc(std::size_t bytes) {
  auto* made = static_cast<std::size_t*>(std::malloc(bytes));
  asm volatile("" : "+r"(made));  // A compiler knows where memory from malloc begins.
  // In front of what it gives out malloc keeps the size of all that it takes, and three flags.
  sum += made[-1] / 8 * 8;
  return made;
}

/// So many bytes before each frame, as libraries keep the allocator or the size there, and so many behind it.
template <std::size_t Before, std::size_t Behind>
struct header {
  static void* operator new(std::size_t bytes) {
    auto* const made = static_cast<std::byte*>(from_malloc(Before + bytes + Behind));
    std::memset(made, 0x5A, Before);
    return made + Before;
  }
  static void operator delete(void* frame) { std::free(static_cast<std::byte*>(frame) - Before); }
};

/// Large blocks, of which frames are cut.
template <std::size_t Block>
struct pool {
  static inline std::byte* at = nullptr;
  static inline std::size_t left = 0;
  static void* operator new(std::size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > left) {
      at = static_cast<std::byte*>(std::calloc(1, Block));
      left = Block;
    }
    left -= bytes;
    return std::exchange(at, at + bytes);
  }
  static void operator delete(void*) {}
};

template <class Place>
struct task {
  struct promise_type : Place {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_always final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> frame;
};

volatile unsigned long sink = 0;

template <class Place, std::size_t Bytes>
task<Place> held(unsigned long number) {
  char local[Bytes];
  std::memset(local, static_cast<int>(number), sizeof local);
  co_await std::suspend_always{};
  sink = sink + static_cast<unsigned char>(local[number % sizeof local]);
}

template <class Place, std::size_t Bytes>
unsigned long make(std::vector<std::coroutine_handle<>>& kept, unsigned long count) {
  sum = 0;
  for (unsigned long i = 0; i < count; ++i) kept.push_back(held<Place, Bytes>(i).frame);
  return sum;
}

int main() {
  // Memory that other objects have used before.
  std::vector<std::unique_ptr<char[]>> before;
  for (int i = 0; i < 2'000; ++i) before.emplace_back(new char[40 + 16 * static_cast<unsigned>(i % 30)]);
  for (std::size_t i = 0; i < before.size(); i += 2) before[i].reset();

  std::vector<std::coroutine_handle<>> kept;
  kept.reserve(20'000);
  const auto nothing = make<header<0, 0>, 50>(kept, 300);
  const auto behind = make<header<0, 40>, 51>(kept, 300);
  const auto small = make<header<16, 0>, 52>(kept, 300);
  const auto middle = make<header<32, 0>, 53>(kept, 300);
  const auto large = make<header<128, 0>, 54>(kept, 300);
  const auto mapped = make<header<32, 0>, 300'000>(kept, 10);
  make<pool<20'000>, 55>(kept, 300);
  make<pool<300'000>, 56>(kept, 6'000);
  announce_and_wait({{"held<header<0,0>,50>", 300},
                     {"held<header<0,40>,51>", 300},
                     {"held<header<16,0>,52>", 300},
                     {"held<header<32,0>,53>", 300},
                     {"held<header<128,0>,54>", 300},
                     {"held<header<32,0>,300000>", 10},
                     {"bytes<header<0,0>,50>", nothing},
                     {"bytes<header<0,40>,51>", behind},
                     {"bytes<header<16,0>,52>", small},
                     {"bytes<header<32,0>,53>", middle},
                     {"bytes<header<128,0>,54>", large},
                     {"bytes<header<32,0>,300000>", mapped},
                     {"pool<20000>,55>", 300},
                     {"pool<300000>,56>", 6'000}});
}
