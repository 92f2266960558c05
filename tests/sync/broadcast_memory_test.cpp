// A broadcast while memory is short: whichever allocation of a send is refused, nothing was sent, the value is where it
// was, and the next send works.

#include <tare/broadcast.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace {
/// How many allocations still succeed; negative: all.
std::atomic<int> left = -1;
}  // namespace

// Not inline, because g++ would warn that memory from malloc() is freed by a mismatched operator delete.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  const bool refused = left == 0;
  if (left > 0) --left;
  void* const memory = refused ? nullptr : std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }

namespace {

using tare::task;
using value = std::unique_ptr<int>;

TEST(broadcast_memory, a_refused_allocation_sends_nothing) {
  // With each number of values that wait, because the ring grows at some of them.
  for (int waiting = 0; waiting < 10; ++waiting) {
    for (int allowed = 0; allowed < 4; ++allowed) {
      tare::broadcast<value> values(16);
      auto mine = values.subscribe();
      for (int i = 0; i < waiting; ++i) {
        value one = std::make_unique<int>(i);
        ASSERT_TRUE(values.try_send(one));
      }
      value next = std::make_unique<int>(waiting);
      bool refused = false;
      left = allowed;
      try {
        (void)values.try_send(next);
      } catch (const std::bad_alloc&) {
        refused = true;
      }
      left = -1;
      ASSERT_EQ(next == nullptr, !refused) << waiting << ' ' << allowed;
      if (refused) {
        EXPECT_EQ(values.size(), static_cast<std::size_t>(waiting));
        EXPECT_EQ(*next, waiting);
        ASSERT_TRUE(values.try_send(next));
      }
      for (int i = 0; i <= waiting; ++i) {
        auto got = mine.try_receive();
        ASSERT_TRUE(got);
        EXPECT_EQ(***got, i);
        EXPECT_EQ(got->skipped(), 0U);
      }
    }
  }
}

TEST(broadcast_memory, a_send_that_is_refused_throws_and_the_next_one_works) {
  tare::run([]() -> task<> {
    tare::broadcast<int> values(4, tare::slow_receivers::wait);
    auto mine = values.subscribe();
    int refused = 0;
    for (int allowed = 0; allowed < 3; ++allowed) {
      bool thrown = false;
      left = allowed;
      try {
        (void)co_await values.send(allowed);
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      left = -1;
      refused += thrown ? 1 : 0;
      EXPECT_EQ(values.size(), thrown ? 0U : 1U);
      while (mine.try_receive()) {
      }
    }
    EXPECT_GE(refused, 1);
    const auto sent = co_await values.send(7);
    EXPECT_EQ(sent.value_or(0), 1U);
    const auto got = mine.try_receive();
    EXPECT_EQ(got ? **got : 0, 7);
  });
}

}  // namespace
