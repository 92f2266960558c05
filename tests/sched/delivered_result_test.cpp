// Results and errors of with_scope, map, with_stop_token, handles and futures that are delivered in an unusual moment.

#include "sched/run_then_cancel.hpp"
#include "support/sanitizers.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <list>
#include <ranges>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class delivered_result_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

/// Has a result although it is cancelled, as has a task that received a message just before.
task<int> stubborn(int value) {
  try {
    co_await tare::sleep_for(1h);
  } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch)
  }
  co_return value;
}

TEST_F(delivered_result_test, is_not_lost_when_the_awaiting_task_is_cancelled) {
  int from_scope = 0;
  int from_map = 0;
  int with_token = 0;
  auto scoped = [&]() -> task<> {
    from_scope = co_await tare::with_scope([](tare::scope& /*s*/) { return stubborn(7); });
  };
  auto mapped = [&]() -> task<> {
    const auto all = co_await tare::map(std::views::iota(0, 3), 3, [](int value) { return stubborn(value); });
    for (const int each : all) from_map += each;
  };
  auto stoppable = [&]() -> task<> {
    const auto got = co_await tare::with_stop_token(std::stop_token(), stubborn(5));
    with_token = got.value();
  };
  rt_.run(tare::test::run_then_cancel(scoped()));
  EXPECT_EQ(from_scope, 7);
  rt_.run(tare::test::run_then_cancel(mapped()));
  EXPECT_EQ(from_map, 3);
  rt_.run(tare::test::run_then_cancel(stoppable()));
  EXPECT_EQ(with_token, 5);
}

TEST_F(delivered_result_test, of_some_elements_only_is_a_cancellation) {
  bool returned = false;
  auto mapped = [&]() -> task<> {
    (void)co_await tare::map(std::views::iota(0, 3), 1, [](int value) { return stubborn(value); });
    returned = true;
  };
  auto without_results = [&]() -> task<> {
    auto work = [](int /*value*/) -> task<> { co_await tare::sleep_for(1h); };
    co_await tare::map(std::views::iota(0, 3), 3, work);
    returned = true;
  };
  rt_.run(tare::test::run_then_cancel(mapped()));
  rt_.run(tare::test::run_then_cancel(without_results()));
  EXPECT_FALSE(returned);
}

TEST_F(delivered_result_test, a_cancellation_of_its_own_is_not_a_requested_stop) {
  auto body = [&]() -> task<bool> {
    auto gives_up = []() -> task<int> {
      co_await tare::yield();
      throw tare::cancelled();
    };
    const std::stop_source source;
    try {
      (void)co_await tare::with_stop_token(source.get_token(), gives_up());
    } catch (const tare::cancelled&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(rt_.run(body()));
}

TEST_F(delivered_result_test, after_an_error_a_worker_of_map_that_is_ready_begins_nothing) {
  std::vector<int> begun;
  // 0 fails when 1 has its result and is about to continue.
  auto work = [&](int number) -> task<int> {
    begun.push_back(number);
    co_await tare::sleep_for(1s);
    if (number == 0) throw std::runtime_error("no");
    co_return number;
  };
  auto body = [&]() -> task<> { (void)co_await tare::map(std::views::iota(0, 10), 2, work); };
  EXPECT_THROW(rt_.run(body()), std::runtime_error);
  EXPECT_EQ(begun, (std::vector<int>{0, 1}));
}

TEST_F(delivered_result_test, map_keeps_an_element_that_is_a_temporary_until_its_task_has_ended) {
  auto body = [&]() -> task<> {
    auto later = [](const int& number) -> task<int> {
      co_await tare::sleep_for(1s);
      co_return number;
    };
    const auto all = co_await tare::map(std::views::iota(5, 8), 2, later);
    EXPECT_EQ(all, (std::vector<int>{5, 6, 7}));
  };
  rt_.run(body());
}

TEST_F(delivered_result_test, map_begins_no_more_workers_than_there_are_elements) {
  auto body = [&]() -> task<> {
    std::list<int> some{1, 2, 3, 4};
    auto even = some | std::views::filter([](int number) { return number % 2 == 0; });  // has no size()
    const auto all = co_await tare::map(even, 1'000'000'000'000, [](int number) -> task<int> { co_return number; });
    EXPECT_EQ(all, (std::vector<int>{2, 4}));
  };
  rt_.run(body());
}

/// Throws when it is moved for the n-th time.
struct throws_when_moved {
  explicit throws_when_moved(int moves) noexcept : left(moves) {}
  // NOLINTNEXTLINE(performance-noexcept-move-constructor,bugprone-exception-escape): it throws
  throws_when_moved(throws_when_moved&& other) : left(other.left - 1) {
    if (left < 0) throw std::runtime_error("moved");
  }
  throws_when_moved& operator=(throws_when_moved&&) = delete;
  throws_when_moved(const throws_when_moved&) = delete;
  throws_when_moved& operator=(const throws_when_moved&) = delete;
  ~throws_when_moved() = default;
  int left;
};
task<throws_when_moved> make(int moves) {
  co_await tare::yield();
  co_return throws_when_moved(moves);
}

TEST_F(delivered_result_test, a_move_that_throws_is_an_error_of_the_handle) {
  int failed = 0;
  int delivered = 0;
  auto body = [&](int moves) -> task<> {
    tare::scope s;
    auto h = s.spawn_handle(make(moves));
    try {
      [[maybe_unused]] const auto got = co_await h;
      ++delivered;
    } catch (const std::runtime_error&) {
      ++failed;
    }
    co_await s.join();
  };
  for (int moves = 0; moves < 12; ++moves) rt_.run(body(moves));
  EXPECT_GT(failed, 2);
  EXPECT_GT(delivered, 0);
  EXPECT_EQ(failed + delivered, 12);
}

TEST_F(delivered_result_test, a_move_that_throws_is_an_error_of_the_future) {
  if (support::has_thread_sanitizer) {
    GTEST_SKIP() << "std::promise lets the exception pass through pthread_once, after which ThreadSanitizer's hangs";
  }
  tare::runtime rt({.shards = 1, .background = true});
  int failed = 0;
  int delivered = 0;
  for (int moves = 0; moves < 12; ++moves) {
    auto future = tare::spawn_future(rt, 0, make(moves));
    try {
      [[maybe_unused]] const auto got = future.get();
      ++delivered;
    } catch (const std::runtime_error&) {
      ++failed;
    }
  }
  EXPECT_GT(failed, 2);
  EXPECT_GT(delivered, 0);
  EXPECT_EQ(failed + delivered, 12);
}

TEST_F(delivered_result_test, an_error_goes_to_the_join_alone_that_waits_when_the_handle_is_dropped) {
  bool joined = false;
  auto fails = []() -> task<int> {
    co_await tare::sleep_for(1s);
    throw std::runtime_error("no");
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    auto h = s.spawn_handle(fails());
    auto waits = [](tare::handle<int>& of, bool& thrown) -> task<> {
      try {
        (void)co_await of.join();
      } catch (const std::runtime_error&) {
        thrown = true;
      }
    };
    s.spawn(waits(h, joined));
    co_await tare::sleep_for(1ms);
    h = tare::handle<int>();
    co_await s.join();
  };
  EXPECT_NO_THROW(rt_.run(body()));
  EXPECT_TRUE(joined);
}

}  // namespace
