#include <stop_token>

#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

class stop_token_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

task<int> answer() {
  co_await tare::sleep_for(1s);
  co_return 42;
}
task<> sleeps() { co_await tare::sleep_for(1h); }

TEST_F(stop_token_test, gives_the_result_if_no_stop_is_requested) {
  auto body = [&]() -> task<> {
    std::stop_source source;
    const auto got = co_await tare::with_stop_token(source.get_token(), answer());
    EXPECT_EQ(got.value(), 42);
    const auto without_state = co_await tare::with_stop_token(std::stop_token(), answer());
    EXPECT_EQ(without_state.value(), 42);
  };
  rt_.run(body());
}

TEST_F(stop_token_test, a_stop_requested_before_or_during_cancels_the_task) {
  auto request = [](std::stop_source source) -> task<> {
    co_await tare::sleep_for(1s);
    source.request_stop();
  };
  auto body = [&]() -> task<> {
    std::stop_source source;
    tare::spawn(request(source));
    const auto during = co_await tare::with_stop_token(source.get_token(), sleeps());
    EXPECT_FALSE(during.has_value());
    const auto before = co_await tare::with_stop_token(source.get_token(), sleeps());
    EXPECT_FALSE(before.has_value());
  };
  const auto start = std::chrono::steady_clock::now();
  rt_.run(body());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 1h);
}

TEST_F(stop_token_test, errors_and_results_of_a_stopped_task_are_delivered) {
  auto stubborn = []() -> task<int> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    co_return 7;
  };
  auto fails = []() -> task<int> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    throw std::runtime_error("flush failed");
  };
  auto request = [](std::stop_source source) -> task<> {
    co_await tare::sleep_for(1s);
    source.request_stop();
  };
  auto body = [&]() -> task<> {
    std::stop_source one;
    tare::spawn(request(one));
    const auto got = co_await tare::with_stop_token(one.get_token(), stubborn());
    EXPECT_EQ(got.value(), 7);
    std::stop_source other;
    tare::spawn(request(other));
    bool thrown = false;
    try {
      (void)co_await tare::with_stop_token(other.get_token(), fails());
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
  };
  rt_.run(body());
}

TEST_F(stop_token_test, cancelling_the_awaiting_task_is_not_a_stop) {
  bool returned = false;
  auto worker = [&]() -> task<> {
    std::stop_source source;
    (void)co_await tare::with_stop_token(source.get_token(), sleeps());
    returned = true;
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_FALSE(returned);
}

TEST_F(stop_token_test, cancellation_requests_a_stop) {
  std::stop_token kept;
  bool called = false;
  auto worker = [&]() -> task<> {
    co_await tare::with_stop_token([&](std::stop_token stop) -> task<> {
      kept = stop;
      const std::stop_callback on_stop(stop, [&] { called = true; });
      co_await tare::sleep_for(1h);
    });
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_TRUE(called);
  EXPECT_TRUE(kept.stop_requested());
}

TEST_F(stop_token_test, without_cancellation_no_stop_is_requested) {
  auto body = [&]() -> task<int> {
    std::stop_token kept;
    const int got = co_await tare::with_stop_token([&](std::stop_token stop) -> task<int> {
      kept = std::move(stop);
      return answer();
    });
    EXPECT_FALSE(kept.stop_requested());
    co_return got;
  };
  EXPECT_EQ(rt_.run(body()), 42);
}

TEST(stop_token_on_threads_test, stops_from_threads_while_tasks_end_by_themselves) {
  tare::runtime rt({.shards = 2});
  auto short_task = [](int round) -> task<int> {
    if (round % 3 == 0) co_await tare::sleep_for(1ms);
    for (int i = 0; i < round % 5; ++i) co_await tare::yield();
    co_return round;
  };
  auto one = [&](int round) -> task<> {
    std::stop_source source;
    std::atomic<bool> go = false;
    std::jthread stopper([&] {
      while (!go) std::this_thread::yield();
      source.request_stop();
    });
    go = true;
    const auto got = co_await tare::with_stop_token(source.get_token(), short_task(round));
    if (got) {
      EXPECT_EQ(*got, round);
    }
  };
  auto body = [&]() -> task<> {
    for (int round = 0; round < 300; ++round) {
      tare::scope s;
      s.spawn(one(round));
      s.spawn_on(1, one(round + 1));
      co_await s.join();
    }
  };
  rt.run(body());
}

}  // namespace
