// A scope that collects errors while memory is short: the program continues, and the first error is delivered.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <new>

namespace {
std::atomic<bool> no_memory = false;
}

// Not inline, because g++ would warn that memory from malloc() is freed by a mismatched operator delete.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  void* const memory = no_memory ? nullptr : std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }

namespace {

using tare::task;

struct numbered {
  int number;
};

TEST(scope_memory, the_first_error_needs_none) {
  // From which error on allocations fail; 100: only when the errors are delivered.
  for (const int from : {0, 1, 2, 5, 100}) {
    int first = -1;
    auto body = [&]() -> task<> {
      tare::scope s(tare::on_error::collect);
      for (int i = 0; i < 10; ++i) {
        s.spawn([](int number, int none_from) -> task<> {
          co_await tare::yield();
          if (number >= none_from) no_memory = true;
          throw numbered{number};
        }(i, from));
      }
      const auto starve = [](bool now) -> task<> {
        co_await tare::yield();
        if (now) no_memory = true;
      };
      s.spawn(starve(from == 100));
      try {
        co_await s.join();
        no_memory = false;
        ADD_FAILURE();
      } catch (const tare::error_group& group) {
        no_memory = false;
        try {
          std::rethrow_exception(group.errors().front());
        } catch (const numbered& error) {
          first = error.number;
        }
      } catch (const numbered& error) {
        no_memory = false;
        first = error.number;
      }
    };
    tare::run(body());
    EXPECT_EQ(first, 0) << "from " << from;
  }
}

}  // namespace
