#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

class cancellation_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(cancellation_test, cancel_requested_tells_whether_the_task_is_cancelled) {
  bool before = true;
  bool after = false;
  bool shielded = true;
  auto ask = []() -> task<bool> {
    const bool is = co_await tare::cancel_requested();
    co_return is;
  };
  auto worker = [&]() -> task<> {
    before = co_await tare::cancel_requested();
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    after = co_await tare::cancel_requested();
    shielded = co_await tare::shield(ask());
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_FALSE(before);
  EXPECT_TRUE(after);
  EXPECT_FALSE(shielded);
}

TEST_F(cancellation_test, a_loop_that_only_asks_ends) {
  long rounds = 0;
  auto worker = [&]() -> task<> {
    for (bool stop = false; !stop; ++rounds) stop = co_await tare::cancel_requested();
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(worker());
    co_await tare::yield();
    co_await tare::yield();
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_GT(rounds, 128);
}

TEST_F(cancellation_test, a_checkpoint_ends_a_computing_loop) {
  long rounds = 0;
  auto worker = [&]() -> task<> {
    for (;;) {
      ++rounds;
      co_await tare::checkpoint();
    }
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(worker());
    co_await tare::yield();
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_GE(rounds, 128);
}

TEST_F(cancellation_test, a_task_that_ignores_checkpoints_does_not_hold_up_others) {
  long rounds = 0;
  bool others_ran = false;
  auto stubborn = [&]() -> task<> {
    while (!others_ran) {
      ++rounds;
      try {
        co_await tare::checkpoint();
      } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
      }
    }
  };
  auto other = [&]() -> task<> {
    for (int i = 0; i < 10; ++i) co_await tare::yield();
    others_ran = true;
  };
  auto body = [&]() -> task<> {
    tare::spawn(other());
    tare::scope s;
    s.spawn(stubborn());
    co_await tare::yield();
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_TRUE(others_ran);
}

TEST_F(cancellation_test, on_cancel_returns_the_result_and_does_not_call) {
  int calls = 0;
  auto answer = []() -> task<std::unique_ptr<int>> {
    co_await tare::sleep_for(1s);
    co_return std::make_unique<int>(42);
  };
  auto body = [&]() -> task<int> {
    auto result = co_await tare::on_cancel(answer(), [&]() noexcept { ++calls; });
    co_await tare::on_cancel(tare::sleep_for(1s), [&]() noexcept { ++calls; });  // a request, without a result
    co_return *result;
  };
  EXPECT_EQ(rt_.run(body()), 42);
  EXPECT_EQ(calls, 0);
}

TEST_F(cancellation_test, on_cancel_calls_once_before_the_cancellation_reaches_the_task) {
  int calls = 0;
  int calls_seen = -1;
  auto waits = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      calls_seen = calls;
      throw;
    }
  };
  auto worker = [&]() -> task<> { co_await tare::on_cancel(waits(), [&]() noexcept { ++calls; }); };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(calls_seen, 1);
}

TEST_F(cancellation_test, on_cancel_in_a_cancelled_task_starts_nothing) {
  int calls = 0;
  bool began = false;
  bool refused = false;
  auto inner = [&]() -> task<> {
    began = true;
    co_return;
  };
  auto worker = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    try {
      co_await tare::on_cancel(inner(), [&]() noexcept { ++calls; });
    } catch (const tare::cancelled&) {
      refused = true;
      throw;
    }
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_FALSE(began);
  EXPECT_TRUE(refused);
  EXPECT_EQ(calls, 0);
}

TEST_F(cancellation_test, on_cancel_nests_and_passes_errors_on) {
  int calls = 0;
  auto count = [&]() noexcept { ++calls; };
  auto fails = []() -> task<int> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    throw std::runtime_error("flush failed");
  };
  auto inner = [&]() -> task<int> {
    const int got = co_await tare::on_cancel(fails(), count);
    co_return got;
  };
  auto worker = [&]() -> task<> { (void)co_await tare::on_cancel(inner(), count); };
  EXPECT_THROW(rt_.run(tare::test::run_then_cancel(worker())), std::runtime_error);
  EXPECT_EQ(calls, 2);
}

TEST_F(cancellation_test, the_function_may_end_the_wait_itself) {
  tare::event stop;
  bool returned = false;
  auto waits = [&]() -> task<> { co_await tare::shield([](tare::event& on) -> task<> { co_await on.wait(); }(stop)); };
  auto worker = [&]() -> task<> {
    co_await tare::on_cancel(waits(), [&]() noexcept { stop.set(); });
    returned = true;
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_TRUE(returned);
}

task<std::optional<std::chrono::nanoseconds>> ask_remaining() {
  const auto left = co_await tare::remaining();
  co_return left;
}

TEST_F(cancellation_test, remaining_is_the_time_to_the_nearest_deadline_around) {
  auto in_scope = []() -> task<std::optional<std::chrono::nanoseconds>> {
    auto left = co_await tare::with_scope([](tare::scope& s) -> task<std::optional<std::chrono::nanoseconds>> {
      auto h = s.spawn_handle(ask_remaining());
      co_await tare::yield();
      co_return co_await h;
    });
    co_return left;
  };
  auto body = [&]() -> task<> {
    const auto none = co_await ask_remaining();
    EXPECT_FALSE(none.has_value());
    const auto one = co_await tare::timeout(5s, ask_remaining());
    EXPECT_EQ(one.value(), std::optional<std::chrono::nanoseconds>(5s));
    auto later = []() -> task<std::optional<std::chrono::nanoseconds>> {
      co_await tare::sleep_for(1s);
      auto inner = co_await tare::timeout(1h, ask_remaining());
      co_return inner.value();
    };
    const auto nearest = co_await tare::timeout(5s, later());
    EXPECT_EQ(nearest.value(), std::optional<std::chrono::nanoseconds>(4s));
    const auto at = co_await tare::timeout_at(tare::now() + 7s, in_scope());
    EXPECT_EQ(at.value(), std::optional<std::chrono::nanoseconds>(7s));
    const auto both = co_await tare::timeout(9s, tare::on_cancel(ask_remaining(), []() noexcept {}));
    EXPECT_EQ(both.value(), std::optional<std::chrono::nanoseconds>(9s));
  };
  rt_.run(body());
}

TEST(cancellation_on_two_shards_test, remaining_ends_at_a_task_that_has_moved) {
  tare::runtime rt({.shards = 2});
  auto moved = []() -> task<bool> {
    co_await tare::resume_on(1);
    auto left = co_await tare::remaining();
    auto own = co_await tare::timeout(1h, ask_remaining());
    co_return !left.has_value() && own.value().has_value();
  };
  auto body = [&]() -> task<bool> {
    auto ended = co_await tare::timeout(1h, moved());
    co_return ended.value();
  };
  EXPECT_TRUE(rt.run(body()));
}

TEST(cancellation_on_two_shards_test, reaches_a_loop_and_a_moved_branch) {
  tare::runtime rt({.shards = 2});
  int calls = 0;
  auto loop = []() -> task<> {
    for (;;) co_await tare::checkpoint();
  };
  auto away = []() -> task<> {
    co_await tare::resume_on(1);
    co_await tare::sleep_for(1h);
  };
  auto moved = [&]() -> task<> { co_await tare::on_cancel(away(), [&]() noexcept { ++calls; }); };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn_on(1, loop());
    s.spawn(moved());
    co_await tare::sleep_for(5ms);
    s.cancel();
    co_await s.join();
  };
  rt.run(body());
  EXPECT_EQ(calls, 1);
}

}  // namespace
