#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

TEST(offload, runs_elsewhere_and_gives_the_result_here) {
  auto body = []() -> task<> {
    const auto here = std::this_thread::get_id();
    const auto there = co_await tare::offload([] { return std::this_thread::get_id(); });
    EXPECT_NE(there, here);
    EXPECT_EQ(std::this_thread::get_id(), here);

    // Named, because g++ 12 destroys the captures of a closure that is written inside the await twice (PR 99576).
    auto give = [text = std::make_unique<std::string>("only movable")]() mutable { return std::move(text); };
    auto moved = co_await tare::offload(std::move(give));
    EXPECT_EQ(*moved, "only movable");

    int value = 1;
    int& same = co_await tare::offload([&]() -> int& { return value; });
    EXPECT_EQ(&same, &value);
    co_await tare::offload([&] { value = 2; });
    EXPECT_EQ(value, 2);
  };
  tare::run(body());
}

TEST(offload, throws_the_error_of_the_call) {
  auto body = []() -> task<> {
    EXPECT_THROW(co_await tare::offload([] { throw std::runtime_error("no such file"); }), std::runtime_error);
    EXPECT_THROW(co_await tare::offload([]() -> int { throw std::runtime_error("no such file"); }), std::runtime_error);
  };
  tare::run(body());
}

TEST(offload, uses_no_more_threads_than_allowed) {
  std::atomic<int> now = 0;
  std::atomic<int> most = 0;
  auto call = [&]() -> task<> {
    co_await tare::offload([&] {
      const int running = ++now;
      int seen = most;
      while (running > seen && !most.compare_exchange_weak(seen, running)) {
      }
      std::this_thread::yield();
      --now;
    });
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 200; ++i) s.spawn(call());
      co_return;
    });
  };
  tare::runtime rt({.blocking_threads = 3});
  rt.run(body());
  EXPECT_LE(most, 3);
}

TEST(offload, cancellation_takes_back_a_call_that_has_not_begun) {
  std::latch begun(1);
  std::latch go_on(1);
  bool second_ran = false;
  auto first = [&]() -> task<> {
    co_await tare::offload([&] {
      begun.count_down();
      go_on.wait();
    });
  };
  auto second = [&]() -> task<> { co_await tare::offload([&] { second_ran = true; }); };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(first());
      co_await tare::yield();
      co_await tare::with_scope([&](tare::scope& inner) -> task<> {
        inner.spawn(second());
        co_await tare::yield();
        begun.wait();
        inner.cancel();
      });
      EXPECT_FALSE(second_ran);
      go_on.count_down();
    });
  };
  tare::runtime rt({.blocking_threads = 1});
  rt.run(body());
  EXPECT_FALSE(second_ran);
}

TEST(offload, a_call_that_has_begun_is_awaited_and_its_result_kept) {
  std::latch begun(1);
  std::latch go_on(1);
  int result = 0;
  auto call = [&]() -> task<> {
    result = co_await tare::offload([&] {
      begun.count_down();
      go_on.wait();
      return 42;
    });
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(call());
      co_await tare::yield();
      begun.wait();
      s.cancel();
      go_on.count_down();
    });
  };
  tare::run(body());
  EXPECT_EQ(result, 42);
}

TEST(offload, cancellation_interrupts_a_call_that_has_begun) {
  std::latch begun(1);
  std::latch stop(1);
  int result = 0;
  bool cancelled_after = false;
  auto call = [&]() -> task<> {
    auto work = [&] {
      begun.count_down();
      stop.wait();
      return 42;
    };
    auto interrupt = [&]() noexcept { stop.count_down(); };
    result = co_await tare::offload(std::move(work), std::move(interrupt));
    try {
      co_await tare::yield();
    } catch (const tare::cancelled&) {
      cancelled_after = true;
      throw;
    }
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(call());
      co_await tare::yield();
      begun.wait();
      s.cancel();
    });
  };
  tare::run(body());
  EXPECT_EQ(result, 42);
  EXPECT_TRUE(cancelled_after);
}

TEST(offload, a_call_that_has_not_begun_is_not_interrupted) {
  std::latch begun(1);
  std::latch go_on(1);
  bool interrupted = false;
  auto first = [&]() -> task<> {
    co_await tare::offload([&] {
      begun.count_down();
      go_on.wait();
    });
  };
  auto second = [&]() -> task<> {
    auto nothing = [] {};
    auto interrupt = [&]() noexcept { interrupted = true; };
    co_await tare::offload(std::move(nothing), std::move(interrupt));
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(first());
      co_await tare::yield();
      begun.wait();
      co_await tare::with_scope([&](tare::scope& inner) -> task<> {
        inner.spawn(second());
        co_await tare::yield();
        inner.cancel();
      });
      go_on.count_down();
    });
  };
  tare::runtime rt({.blocking_threads = 1});
  rt.run(body());
  EXPECT_FALSE(interrupted);
}

TEST(offload, a_cancelled_task_does_not_call) {
  bool ran = false;
  auto call = [&]() -> task<> {
    EXPECT_THROW(co_await tare::sleep_for(1h), tare::cancelled);
    EXPECT_THROW(co_await tare::offload([&] { ran = true; }), tare::cancelled);
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(call());
      co_await tare::yield();
      s.cancel();
    });
  };
  tare::run(body());
  EXPECT_FALSE(ran);
}

TEST(offload, holds_the_virtual_clock) {
  auto body = []() -> task<> {
    const auto before = tare::now();
    auto result = co_await tare::timeout(1h, tare::offload([] {
                                           std::this_thread::sleep_for(20ms);
                                           return 1;
                                         }));
    EXPECT_TRUE(result);
    EXPECT_EQ(tare::now(), before);
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(offload, from_every_shard) {
  std::atomic<int> calls = 0;
  auto caller = [&]() -> task<> {
    for (int i = 0; i < 20; ++i) co_await tare::offload([&] { ++calls; });
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (unsigned i = 0; i < 30; ++i) s.spawn_on(i % 3, caller());
      co_return;
    });
  };
  tare::runtime rt({.shards = 3, .blocking_threads = 4});
  rt.run(body());
  EXPECT_EQ(calls, 600);
}

}  // namespace
