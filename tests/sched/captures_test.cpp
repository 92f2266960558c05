// Lambdas with captures that are spawned: the closure lives as long as its task, however that ends.

#include "frame/heap.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// Counts the closures that exist: a capture of each.
class counted {
 public:
  explicit counted(std::atomic<int>& living) : living_(&living) { ++living; }
  counted(counted&& other) noexcept : living_(std::exchange(other.living_, nullptr)) {}
  counted& operator=(counted&&) = delete;
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() {
    if (living_ != nullptr) --*living_;
  }

 private:
  std::atomic<int>* living_;
};

using spawner = std::function<void(std::atomic<int>& living, std::atomic<int>& ended, std::chrono::nanoseconds time)>;

/// A closure that only moves, and that its task uses after a wait.
auto waiting(std::atomic<int>& living, std::atomic<int>& ended, std::chrono::nanoseconds time) {
  return [alive = counted(living), text = std::make_unique<std::string>("captured, and longer than a short string"),
          &living, &ended, time]() -> task<> {
    co_await tare::sleep_for(time);
    EXPECT_EQ(*text, "captured, and longer than a short string");
    EXPECT_GE(living, 1);
    ++ended;
  };
}

TEST(captures, are_kept_by_everything_that_spawns) {
  tare::runtime rt({.shards = 2});
  std::atomic<int> living = 0;
  std::atomic<int> ended = 0;
  rt.run([&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(waiting(living, ended, 5ms));
      s.spawn_on(1, waiting(living, ended, 5ms));
      s.spawn_balanced(waiting(living, ended, 5ms));
      auto joined = s.spawn_handle(waiting(living, ended, 5ms));
      co_await joined;
    });
    auto alone = tare::spawn_handle(waiting(living, ended, 5ms));
    co_await alone;
    EXPECT_EQ(ended, 5);
    EXPECT_EQ(living, 0);
    tare::spawn(waiting(living, ended, 5ms));
    tare::spawn_on(1, waiting(living, ended, 5ms));
    tare::spawn_balanced(waiting(living, ended, 5ms));
    tare::spawn_on(0, waiting(living, ended, 5ms));
    while (ended != 9 || living != 0) co_await tare::sleep_for(1ms);
  });
  rt.spawn_on(1, waiting(living, ended, 5ms));
  rt.run([&]() -> task<> {
    while (ended != 10 || living != 0) co_await tare::sleep_for(1ms);
  });
}

TEST(captures, are_destroyed_when_the_task_is_cancelled_before_and_while_it_runs) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  std::atomic<int> living = 0;
  std::atomic<int> ended = 0;
  for (const bool begins : {false, true}) {
    rt.run([&]() -> task<> {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        s.spawn(waiting(living, ended, 1h));
        EXPECT_EQ(living, 1);
        if (begins) co_await tare::sleep_for(1s);
        s.cancel();
        co_return;
      });
    });
    EXPECT_EQ(living, 0) << begins;
    EXPECT_EQ(ended, 0);
  }
}

TEST(captures, are_destroyed_with_the_runtime) {
  std::atomic<int> living = 0;
  std::atomic<int> ended = 0;
  {
    tare::runtime rt({.shards = 2});
    rt.spawn_on(0, waiting(living, ended, 1h));
    rt.spawn_on(1, waiting(living, ended, 1h));
  }
  EXPECT_EQ(living, 0);
  EXPECT_EQ(ended, 0);
}

/// Whatever spawns, and fails: the closure is destroyed, nothing runs, and later tasks do.
TEST(captures, are_destroyed_if_there_is_no_memory_for_the_frame) {
  tare::runtime rt({.shards = 2});
  std::atomic<int> living = 0;
  std::atomic<int> ended = 0;
  rt.run([&]() -> task<> {
    tare::scope s;
    const std::function<void()> all[] = {
        [&] { s.spawn(waiting(living, ended, 1ms)); },
        [&] { s.spawn_on(1, waiting(living, ended, 1ms)); },
        [&] { s.spawn_balanced(waiting(living, ended, 1ms)); },
        [&] { (void)s.spawn_handle(waiting(living, ended, 1ms)); },
        [&] { tare::spawn(waiting(living, ended, 1ms)); },
        [&] { tare::spawn_on(1, waiting(living, ended, 1ms)); },
        [&] { tare::spawn_balanced(waiting(living, ended, 1ms)); },
        [&] { (void)tare::spawn_handle(waiting(living, ended, 1ms)); },
    };
    auto& frames = *tare::detail::current_heap;
    for (const auto& spawn : all) {
      auto* const shelves = std::exchange(tare::detail::current_shelves, nullptr);
      frames.fail_at(1);
      EXPECT_THROW(spawn(), std::bad_alloc);
      frames.fail_at(0);
      tare::detail::current_shelves = shelves;
      EXPECT_EQ(living, 0);
    }
    EXPECT_THROW(s.spawn_on(2, waiting(living, ended, 1ms)), std::out_of_range);
    EXPECT_THROW(tare::spawn_on(2, waiting(living, ended, 1ms)), std::out_of_range);
    EXPECT_EQ(living, 0);
    EXPECT_EQ(ended, 0);
    s.spawn(waiting(living, ended, 1ms));
    co_await s.join();
    EXPECT_EQ(ended, 1);
  });
}

TEST(captures, errors_of_the_call_are_those_of_the_task) {
  const std::string why = "before there is a coroutine";
  const auto fail = [why]() -> task<> {
    auto never = []() -> task<> { co_return; };
    if (!why.empty()) throw std::runtime_error(why);
    return never();
  };
  EXPECT_THROW(tare::run([&]() -> task<> {
                 co_await tare::with_scope([&](tare::scope& s) -> task<> {
                   s.spawn(fail);
                   co_return;
                 });
               }),
               std::runtime_error);
}

TEST(captures, run_returns_what_the_callable_returns) {
  int factor = 6;
  EXPECT_EQ(tare::run([&factor]() -> task<int> { co_return factor * 7; }), 42);
  tare::runtime rt;
  EXPECT_EQ(*rt.run([kept = std::make_unique<int>(7)]() mutable -> task<std::unique_ptr<int>> {
    co_await tare::yield();
    co_return std::move(kept);
  }),
            7);
  EXPECT_THROW(tare::run([&rt]() -> task<> {
                 rt.run([]() -> task<> { co_return; });
                 co_return;
               }),
               std::logic_error);
}

}  // namespace
