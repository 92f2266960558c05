#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<std::unique_ptr<int>> boxed(int value) {
  co_await tare::sleep_for(1ms);
  co_return std::make_unique<int>(value);
}
task<> nothing() { co_await tare::yield(); }
task<int> fails() {
  co_await tare::yield();
  throw std::runtime_error("no");
}
task<int> for_ever() {
  co_await tare::sleep_for(1h);
  co_return 1;
}

TEST(spawn_future_test, delivers_results_and_errors) {
  tare::runtime rt({.shards = 2, .background = true});
  EXPECT_EQ(*tare::spawn_future(rt, 1, boxed(7)).get(), 7);
  EXPECT_EQ(*tare::spawn_future(rt, 0, boxed(8)).get(), 8);
  tare::spawn_future(rt, 1, nothing()).get();
  std::future<int> failed = tare::spawn_future(rt, 1, fails());
  EXPECT_THROW(failed.get(), std::runtime_error);
}

TEST(spawn_future_test, a_shard_that_does_not_exist_is_refused_and_nothing_is_called) {
  tare::runtime rt({.shards = 1, .background = true});
  EXPECT_THROW((void)tare::spawn_future(rt, 1, boxed(7)), std::out_of_range);
  bool called = false;
  EXPECT_THROW(tare::spawn_then(rt, 1, boxed(7), [&](auto&& /*outcome*/) noexcept { called = true; }),
               std::out_of_range);
  EXPECT_FALSE(called);
}

TEST(spawn_future_test, an_empty_task_aborts_with_a_message) {
  EXPECT_DEATH(
      {
        tare::runtime rt({.shards = 1});
        task<> moved = nothing();
        const task<> taken(std::move(moved));
        // NOLINTNEXTLINE(bugprone-use-after-move): that is the mistake
        tare::spawn_then(rt, 0, std::move(moved), [](auto&& /*outcome*/) noexcept {});
      },
      "spawn_then of an empty task");
}

TEST(spawn_future_test, the_end_of_the_runtime_ends_every_future) {
  std::vector<std::future<int>> futures;
  {
    tare::runtime rt({.shards = 2});
    // None of shard 0's tasks ever begins.
    for (int i = 0; i < 20; ++i) futures.push_back(tare::spawn_future(rt, static_cast<unsigned>(i % 2), for_ever()));
  }
  for (std::future<int>& each : futures) EXPECT_THROW(each.get(), tare::cancelled);
}

TEST(spawn_future_test, a_dropped_future_does_not_wait) {
  tare::runtime rt({.shards = 2});
  {
    // NOLINTNEXTLINE(bugprone-unused-local-non-trivial-variable): it is dropped
    const std::future<int> dropped = tare::spawn_future(rt, 1, for_ever());
  }
  EXPECT_EQ(rt.detached_tasks(), 1U);
}

TEST(spawn_future_test, from_many_threads) {
  tare::runtime rt({.shards = 2, .background = true});
  std::atomic<int> sum = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) sum += *tare::spawn_future(rt, static_cast<unsigned>(t % 2), boxed(1)).get();
      });
    }
  }
  EXPECT_EQ(sum, 200);
}

/// A coroutine of another library: starts immediately, and sets a promise.
struct foreign {
  struct promise_type {
    std::promise<std::string> result;
    foreign get_return_object() { return {result.get_future()}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    static std::suspend_never final_suspend() noexcept { return {}; }
    void return_value(std::string value) { result.set_value(std::move(value)); }
    void unhandled_exception() { result.set_exception(std::current_exception()); }
  };
  std::future<std::string> result;
};

task<std::string> greeting(std::string name) {
  co_await tare::sleep_for(1ms);
  co_return "hello " + name;
}

foreign greets(tare::runtime& rt, unsigned shard) {
  std::string got = co_await tare::on(rt, shard, greeting("world"));
  co_await tare::on(rt, shard, nothing());
  co_return got;
}

foreign awaits_for_ever(tare::runtime& rt, unsigned shard) {
  (void)co_await tare::on(rt, shard, for_ever());
  co_return "";
}

TEST(on_test, a_foreign_coroutine_awaits_a_task) {
  tare::runtime rt({.shards = 2, .background = true});
  EXPECT_EQ(greets(rt, 1).result.get(), "hello world");
  EXPECT_EQ(greets(rt, 0).result.get(), "hello world");
  EXPECT_THROW(greets(rt, 2).result.get(), std::out_of_range);
}

TEST(on_test, the_end_of_the_runtime_resumes_the_coroutine) {
  for (const unsigned shard : {0U, 1U}) {
    std::optional<foreign> waiting;
    {
      tare::runtime rt({.shards = 2});
      waiting.emplace(awaits_for_ever(rt, shard));
    }
    EXPECT_THROW(waiting->result.get(), tare::cancelled);
  }
}

/// An awaitable of another library, which a task of tare awaits through `adapt`.
struct resumed_by_thread {
  std::jthread* on;
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) const {
    *on = std::jthread([waiting] { waiting.resume(); });
  }
  static void await_resume() noexcept {}
};

TEST(on_test, and_the_task_awaits_a_foreign_awaitable) {
  std::jthread thread;
  tare::runtime rt({.shards = 2});
  auto both = [&]() -> task<std::string> {
    co_await tare::adapt(resumed_by_thread{&thread});
    co_return "there and back";
  };
  auto outside = [](tare::runtime& in, task<std::string> body) -> foreign {
    std::string got = co_await tare::on(in, 1, std::move(body));
    co_return got;
  };
  EXPECT_EQ(outside(rt, both()).result.get(), "there and back");
}

}  // namespace
