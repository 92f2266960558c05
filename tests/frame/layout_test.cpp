// The sizes of frames with this compiler, so that a change in the compiler is noticed immediately.

#include "frame/arena.hpp"
#include "frame/poison.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>

namespace tare::detail {
namespace {

using namespace std::chrono_literals;

task<> sleeper() { co_await sleep_for(1h); }
task<> yields_and_sleeps() {
  co_await yield();
  co_await sleep_for(1h);
}
task<int> with_parameter(int n) {
  co_await sleep_for(1h);
  co_return n;
}
task<int> with_child(int n) { co_return n + co_await with_parameter(n); }
task<> with_void_child() { co_await sleeper(); }

/// The number of bytes that the arena allocates for the frame of a task that has not started.
template <class T>
std::size_t weight(task<T> of) {
  wait_state& state = *from_link<wait_state>(of.release());
  const std::size_t bytes = arena::instance().slab_of(&state)->object_bytes;
  handle_of(state).destroy();
  return bytes;
}

TEST(layout, frames_have_the_sizes_that_are_documented) {
  if (poisoning) GTEST_SKIP() << "AddressSanitizer needs room between the frames";
#if defined(__clang__) && defined(__OPTIMIZE__)
  EXPECT_EQ(weight(sleeper()), 32U);
  EXPECT_EQ(weight(yields_and_sleeps()), 32U);
  EXPECT_EQ(weight(with_void_child()), 32U);
  EXPECT_EQ(weight(with_parameter(1)), 40U);
  EXPECT_EQ(weight(with_child(1)), 40U);
#else
  EXPECT_LE(weight(sleeper()), 96U);
  EXPECT_LE(weight(yields_and_sleeps()), 128U);
  EXPECT_LE(weight(with_void_child()), 128U);
  EXPECT_LE(weight(with_parameter(1)), 128U);
  EXPECT_LE(weight(with_child(1)), 160U);
#endif
}

#if !defined(__clang__)
task<bool> ready() { co_return true; }
task<> begins_with_a_condition() {
  if (!co_await ready()) throw 1;
}

TEST(layout_death_test, a_frame_that_the_compiler_laid_out_wrongly_is_reported) {
  // Later releases of g++ are correct.
  constexpr bool wrong = __GNUC__ == 12;
  const auto make = [] {
    {
      const task<> made = begins_with_a_condition();
    }
    std::exit(0);
  };
  EXPECT_EXIT(make(), [](int status) { return (status != 0) == wrong; }, wrong ? "begins with a.condition" : "");
}
#endif

}  // namespace
}  // namespace tare::detail
