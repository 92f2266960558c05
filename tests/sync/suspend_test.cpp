#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <expected>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class suspend_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(suspend_test, a_waker_may_be_called_before_the_start_returns) {
  auto body = [&]() -> task<> {
    const auto woken = co_await tare::suspend([](const tare::waker& w) { w.wake(); });
    EXPECT_TRUE(woken.has_value());
  };
  rt_.run(body());
}

TEST_F(suspend_test, any_copy_wakes_and_only_the_first_call_counts) {
  auto body = [&]() -> task<> {
    std::vector<tare::waker> copies;
    auto wake_later = [&]() -> task<> {
      co_await tare::sleep_for(1s);
      copies[2].wake();
      copies.clear();
    };
    tare::spawn(wake_later());
    const auto woken = co_await tare::suspend([&](const tare::waker& w) { copies.assign(5, w); });
    EXPECT_TRUE(woken.has_value());
  };
  rt_.run(body());
}

TEST_F(suspend_test, the_last_copy_destroyed_without_a_call_ends_the_wait) {
  auto body = [&]() -> task<> {
    std::vector<tare::waker> copies;
    auto drop_later = [&]() -> task<> {
      while (!copies.empty()) {
        co_await tare::sleep_for(1s);
        copies.pop_back();
      }
    };
    tare::spawn(drop_later());
    const auto woken = co_await tare::suspend([&](const tare::waker& w) { copies.assign(3, w); });
    EXPECT_FALSE(woken.has_value());
    EXPECT_TRUE(copies.empty());
    const auto at_once = co_await tare::suspend([](const tare::waker& /*dropped*/) {});
    EXPECT_FALSE(at_once.has_value());
  };
  rt_.run(body());
}

TEST_F(suspend_test, an_error_of_the_start_is_thrown) {
  auto body = [&]() -> task<int> {
    try {
      (void)co_await tare::suspend([](const tare::waker& w) {
        w.wake();
        throw std::runtime_error("not connected");
      });
    } catch (const std::runtime_error&) {
      co_return 1;
    }
    co_return 0;
  };
  EXPECT_EQ(rt_.run(body()), 1);
}

TEST_F(suspend_test, a_waker_may_be_called_after_the_task_was_cancelled_and_after_the_runtime) {
  tare::waker kept;
  bool cancelled = false;
  {
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    auto worker = [&]() -> task<> {
      try {
        (void)co_await tare::suspend([&](tare::waker w) { kept = std::move(w); });
      } catch (const tare::cancelled&) {
        cancelled = true;
        throw;
      }
    };
    auto body = [&]() -> task<> {
      co_await tare::test::run_then_cancel(worker());
      kept.wake();
      kept.wake();
    };
    rt.run(body());
  }
  EXPECT_TRUE(cancelled);
  kept.wake();
}

TEST_F(suspend_test, in_a_cancelled_task_the_start_is_not_called) {
  bool started = false;
  auto worker = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    (void)co_await tare::suspend([&](const tare::waker& /*unused*/) { started = true; });
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_FALSE(started);
}

TEST_F(suspend_test, a_start_that_cancels_its_own_task_ends_the_wait) {
  bool cancelled = false;
  auto body = [&]() -> task<> {
    tare::scope s;
    tare::waker kept;
    auto worker = [&]() -> task<> {
      try {
        (void)co_await tare::suspend([&](tare::waker w) {
          kept = std::move(w);
          s.cancel();
        });
      } catch (const tare::cancelled&) {
        cancelled = true;
        throw;
      }
    };
    s.spawn(worker());
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_TRUE(cancelled);
}

TEST_F(suspend_test, passes_through_a_c_interface) {
  auto body = [&]() -> task<> {
    void* user = nullptr;
    auto call_back = [&]() -> task<> {
      co_await tare::sleep_for(1s);
      tare::waker::from(std::exchange(user, nullptr)).wake();
    };
    tare::spawn(call_back());
    const auto woken = co_await tare::suspend([&](tare::waker w) { user = w.release(); });
    EXPECT_TRUE(woken.has_value());
    EXPECT_EQ(tare::waker().release(), nullptr);
  };
  rt_.run(body());
}

// Wakes, destruction of the wakers, cancellation and the end of the runtime meet at random on several threads.
TEST(suspend_on_threads_test, wakes_from_threads_race_with_cancellation_and_the_end) {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::jthread> wakers;
    std::atomic<int> woken = 0;
    std::atomic<int> closed = 0;
    auto worker = [&](int number) -> task<> {
      const auto how = co_await tare::suspend([&](tare::waker w) {
        wakers.emplace_back([kept = std::move(w), number]() mutable {
          if (number % 2 == 0) std::this_thread::yield();
          if (number % 3 == 0) {
            kept = tare::waker();
          } else {
            // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): what a copy does is tested
            const tare::waker copy(kept);
            copy.wake();
          }
        });
      });
      ++(how ? woken : closed);
    };
    {
      tare::runtime rt({.shards = 2});
      auto body = [&]() -> task<> {
        tare::scope s;
        for (int i = 0; i < 4; ++i) s.spawn(worker(i));
        for (int i = 0; i < round % 4; ++i) co_await tare::yield();
        if (round % 3 == 0) s.cancel();
        co_await s.join();
        if (round % 5 == 0) tare::spawn(worker(1));
        co_await tare::yield();
      };
      rt.run(body());
    }
    if (round % 3 != 0) {
      EXPECT_GE(woken, 2);
      EXPECT_EQ(closed, 2);
    }
  }
}

}  // namespace
