// Whichever allocation fails, nothing leaks, nothing hangs, and the error is thrown where the await is.

#include "frame/heap.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<int> leaf(int n) {
  const auto held = std::make_unique<int>(n);  // LeakSanitizer would report it
  co_await tare::sleep_for(1ms);
  co_return *held;
}

task<int> branch(int n) {
  const int one = co_await leaf(n);
  co_return one + co_await leaf(n + 1);
}

task<> worker(int n, std::atomic<int>& sum) { sum += co_await branch(n); }

/// Uses every part of the library that allocates a frame or a record.
task<int> scenario() {
  std::atomic<int> sum = 0;
  co_await tare::with_scope([&](tare::scope& s) -> task<> {
    for (int i = 0; i < 20; ++i) s.spawn(worker(i, sum));
    s.spawn_on(1, worker(1, sum));
    co_return;
  });
  auto [one, two] = co_await tare::when_all(branch(1), branch(2));
  auto timed = co_await tare::timeout(1h, branch(3));
  auto any = co_await tare::when_any(leaf(4), branch(5));
  co_await tare::resume_on(1);
  co_await tare::resume_on(0);
  tare::channel<int> numbers(1);
  (void)co_await numbers.send(1);
  co_return one + two + timed.value() + sum + static_cast<int>(any.index());
}

TEST(failing_allocation, every_one_in_turn) {
  constexpr std::uint64_t more_than_there_are = 1000;
  std::uint64_t nth = 1;
  bool succeeded = false;
  for (; nth < more_than_there_are && !succeeded; ++nth) {
    bool reported = false;
    std::uint64_t live_before = 0;
    std::uint64_t live_after = 0;
    auto body = [&]() -> task<> {
      auto& frames = *tare::detail::current_heap;
      live_before = frames.live();
      // All frames must come from the heap, which counts them.
      frames.trim();
      auto* const shelves = std::exchange(tare::detail::current_shelves, nullptr);
      frames.fail_at(nth);
      try {
        (void)co_await scenario();
        succeeded = true;
      } catch (const std::bad_alloc&) {
        reported = true;
      }
      frames.fail_at(0);
      tare::detail::current_shelves = shelves;
      // First, frames that the other shard has freed must return.
      for (int i = 0; i < 100 && frames.live() != live_before; ++i) {
        co_await tare::sleep_for(1ms);
        frames.collect();
      }
      live_after = frames.live();
    };
    {
      tare::runtime rt({.shards = 2, .clock = tare::clock_kind::virtual_time});
      rt.run(body());
    }
    EXPECT_TRUE(reported != succeeded) << "allocation " << nth;
    EXPECT_EQ(live_after, live_before) << "allocation " << nth;
  }
  EXPECT_GT(nth, 40U) << "the scenario allocates more than that";
  EXPECT_TRUE(succeeded) << "it never ran to completion";
}

TEST(failing_allocation, a_ceiling_stops_what_is_new_and_nothing_else) {
  int ended = 0;
  int refused = 0;
  auto sleeps = [&]() -> task<> {
    co_await tare::sleep_for(1h);
    ++ended;
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 100'000; ++i) {
        try {
          s.spawn(sleeps());
        } catch (const std::bad_alloc&) {
          ++refused;
        }
      }
      co_return;
    });
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time, .frame_limit = std::size_t{1} << 20U});
  rt.run(body());
  EXPECT_GT(ended, 5000);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(ended + refused, 100'000);
}

}  // namespace
