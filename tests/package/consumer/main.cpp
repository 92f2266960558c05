// A program outside the source tree. It checks that the package sets all compiler options that tare needs.

#include <tare/tare.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>

namespace {

static_assert(__cplusplus > 202002L, "the package must request C++23");

tare::task<int> add(int a, int b) {
  co_await tare::sleep_for(std::chrono::milliseconds(1));
  co_return a + b;
}

// With clang this needs -fcoro-aligned-allocation. g++ cannot align frames.
tare::task<bool> local_is_aligned() {
  alignas(64) volatile char local[64] = {};
  co_await tare::yield();
#ifdef __clang__
  co_return reinterpret_cast<std::uintptr_t>(&local[0]) % 64 == 0;
#else
  co_return local[0] == 0;
#endif
}

tare::task<bool> check() { co_return co_await add(40, 2) == 42 && co_await local_is_aligned(); }

}  // namespace

int main() {
  try {
    tare::runtime runtime({.shards = 1});
    if (runtime.run(check())) {
      std::puts("tare works from outside");
      return 0;
    }
    std::puts("wrong result");
  } catch (const std::exception& error) {
    std::puts(error.what());
  }
  return 1;
}
