#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class adapt_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

/// Calls a function with the handle.
struct calls {
  std::function<void(std::coroutine_handle<>)> with_handle;
  int result = 0;
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { with_handle(waiting); }
  [[nodiscard]] int await_resume() const noexcept { return result; }
};

struct ready {
  [[nodiscard]] static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*waiting*/) noexcept { std::terminate(); }
  [[nodiscard]] static std::unique_ptr<int> await_resume() { return std::make_unique<int>(7); }
};

struct declines {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  static bool await_suspend(std::coroutine_handle<> /*waiting*/) noexcept { return false; }
  [[nodiscard]] static int await_resume() noexcept { return 8; }
};

struct transfers {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  static std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept { return waiting; }
  [[nodiscard]] static int await_resume() noexcept { return 9; }
};

struct throws {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<> /*waiting*/) { throw std::runtime_error("no"); }
  static void await_resume() noexcept {}
};

struct by_member {
  declines operator co_await() && noexcept { return {}; }
};
struct by_function {};
transfers operator co_await(by_function /*unused*/) noexcept { return {}; }

TEST_F(adapt_test, every_form_of_awaitable) {
  auto body = [&]() -> task<> {
    const auto pointer = co_await tare::adapt(ready());
    EXPECT_EQ(*pointer, 7);
    const int declined = co_await tare::adapt(declines());
    EXPECT_EQ(declined, 8);
    const int transferred = co_await tare::adapt(transfers());
    EXPECT_EQ(transferred, 9);
    const int member = co_await tare::adapt(by_member());
    EXPECT_EQ(member, 8);
    const int function = co_await tare::adapt(by_function());
    EXPECT_EQ(function, 9);
    calls where_it_is{[](std::coroutine_handle<> waiting) { waiting.resume(); }};
    where_it_is.result = 10;
    const int lvalue = co_await tare::adapt(where_it_is);
    EXPECT_EQ(lvalue, 10);
    bool thrown = false;
    try {
      co_await tare::adapt(throws());
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    co_await tare::sleep_for(1s);  // nothing of the waits is left
  };
  rt_.run(body());
}

TEST_F(adapt_test, what_is_always_ready_does_not_hold_up_others) {
  bool others_ran = false;
  auto other = [&]() -> task<> {
    others_ran = true;
    co_return;
  };
  auto body = [&]() -> task<> {
    tare::spawn(other());
    while (!others_ran) (void)co_await tare::adapt(ready());
  };
  rt_.run(body());
}

TEST_F(adapt_test, a_destroyed_handle_ends_the_wait_with_an_error) {
  auto body = [&]() -> task<int> {
    try {
      (void)co_await tare::adapt(calls{[](std::coroutine_handle<> waiting) { waiting.destroy(); }});
    } catch (const std::runtime_error&) {
      co_return 1;
    }
    co_return 0;
  };
  EXPECT_EQ(rt_.run(body()), 1);
}

TEST_F(adapt_test, cancellation_waits_for_the_other_library) {
  std::coroutine_handle<> kept;
  int got = 0;
  bool then_cancelled = false;
  auto worker = [&]() -> task<> {
    got = co_await tare::adapt(calls{[&](std::coroutine_handle<> waiting) { kept = waiting; }, 5});
    try {
      co_await tare::yield();
    } catch (const tare::cancelled&) {
      then_cancelled = true;
      throw;
    }
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(worker());
    co_await tare::sleep_for(1s);
    s.cancel();
    co_await tare::sleep_for(1s);
    EXPECT_EQ(s.size(), 1U);
    kept.resume();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(got, 5);
  EXPECT_TRUE(then_cancelled);
}

TEST_F(adapt_test, a_cancelled_task_does_not_start_the_wait) {
  bool started = false;
  auto worker = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    (void)co_await tare::adapt(calls{[&](std::coroutine_handle<> /*waiting*/) { started = true; }});
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_FALSE(started);
}

// The other thread resumes before, while or after await_suspend returns.
TEST(adapt_on_threads_test, resumed_from_other_threads) {
  for (int round = 0; round < 100; ++round) {
    std::vector<std::jthread> threads;
    tare::runtime rt({.shards = 2});
    std::atomic<int> sum = 0;
    std::mutex lock;
    auto worker = [&](int number) -> task<> {
      // Not made in the co_await expression: g++ 12 destroys it twice.
      calls starting{[&, number](std::coroutine_handle<> waiting) {
                       const std::scoped_lock guard(lock);
                       threads.emplace_back([waiting, number] {
                         for (int i = 0; i < number; ++i) std::this_thread::yield();
                         waiting.resume();
                       });
                     },
                     number};
      const int got = co_await tare::adapt(std::move(starting));
      sum += got;
    };
    auto body = [&]() -> task<> {
      tare::scope s;
      for (int i = 0; i < 3; ++i) s.spawn(worker(i));
      s.spawn_on(1, worker(3));
      co_await s.join();
    };
    rt.run(body());
    EXPECT_EQ(sum, 6);
  }
}

}  // namespace
