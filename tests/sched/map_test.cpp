#include <tare/map.hpp>

#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <list>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class map_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(map_test, returns_the_results_in_order_and_keeps_to_the_limit) {
  int running = 0;
  int most = 0;
  auto slow = [&](int number) -> task<std::unique_ptr<int>> {
    most = std::max(most, ++running);
    co_await tare::sleep_for(std::chrono::seconds(10 - number % 7));
    --running;
    co_return std::make_unique<int>(number);
  };
  auto body = [&]() -> task<> {
    for (const std::size_t limit : {1U, 3U, 100U}) {
      most = 0;
      const auto results = co_await tare::map(std::views::iota(0, 20), limit, slow);
      EXPECT_EQ(results.size(), 20U);
      for (int i = 0; i < 20; ++i) EXPECT_EQ(*results[static_cast<std::size_t>(i)], i);
      EXPECT_EQ(most, static_cast<int>(std::min<std::size_t>(limit, 20)));
    }
    const auto none = co_await tare::map(std::vector<int>(), 5, slow);
    EXPECT_TRUE(none.empty());
  };
  rt_.run(body());
}

TEST_F(map_test, takes_ranges_of_the_caller_and_temporaries) {
  auto length = [](const std::string& text) -> task<std::size_t> {
    co_await tare::sleep_for(1s);
    co_return text.size();
  };
  auto grow = [](std::string& text) -> task<> {
    co_await tare::sleep_for(1s);
    text += '!';
  };
  auto body = [&]() -> task<> {
    std::list<std::string> words{"a", "bb", "a word that does not fit into a small string"};
    co_await tare::map(words, 2, grow);
    const auto lengths = co_await tare::map(words, 2, length);
    EXPECT_EQ(lengths, (std::vector<std::size_t>{2, 3, words.back().size()}));
    std::vector<std::string> few{"another word that is too long", "x"};
    const auto temporary = co_await tare::map(std::move(few), 2, length);
    EXPECT_EQ(temporary, (std::vector<std::size_t>{29, 1}));
    const auto made = co_await tare::map(
        words | std::views::transform([](const std::string& word) { return word + word; }), 2, length);
    EXPECT_EQ(made, (std::vector<std::size_t>{4, 6, 2 * words.back().size()}));
  };
  rt_.run(body());
}

TEST_F(map_test, the_first_error_stops_it) {
  int begun = 0;
  int cancelled = 0;
  auto work = [&](int number) -> task<int> {
    ++begun;
    try {
      co_await tare::sleep_for(std::chrono::seconds(number == 2 ? 1 : 100));
    } catch (const tare::cancelled&) {
      ++cancelled;
      throw;
    }
    throw std::runtime_error("no");
  };
  auto body = [&]() -> task<> { (void)co_await tare::map(std::views::iota(0, 100), 4, work); };
  EXPECT_THROW(rt_.run(body()), std::runtime_error);
  EXPECT_EQ(begun, 4);
  EXPECT_EQ(cancelled, 3);
}

TEST_F(map_test, cancellation_reaches_all) {
  int cancelled = 0;
  auto work = [&](int /*number*/) -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      ++cancelled;
      throw;
    }
  };
  auto worker = [&]() -> task<> { co_await tare::map(std::views::iota(0, 100), 4, work); };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_EQ(cancelled, 4);
}

TEST_F(map_test, a_function_that_throws_and_a_limit_of_zero) {
  auto refuses = [](int number) -> task<int> {
    if (number == 3) throw std::invalid_argument("three");
    return [](int value) -> task<int> { co_return value; }(number);
  };
  auto body = [&]() -> task<> { (void)co_await tare::map(std::views::iota(0, 10), 2, refuses); };
  EXPECT_THROW(rt_.run(body()), std::invalid_argument);
  EXPECT_THROW((void)tare::map(std::vector<int>{1}, 0, refuses), std::invalid_argument);
}

TEST(with_scope_test, returns_the_result_of_the_body) {
  tare::runtime rt({.shards = 2});
  auto body = [&]() -> task<int> {
    int others = 0;
    const auto got = co_await tare::with_scope([&](tare::scope& s) -> task<std::unique_ptr<int>> {
      s.spawn([](int& count) -> task<> {
        co_await tare::sleep_for(2ms);
        ++count;
      }(others));
      for (int i = 0; i < 10; ++i) s.spawn_balanced([]() -> task<> { co_await tare::yield(); }());
      co_await tare::yield();
      co_return std::make_unique<int>(41);
    });
    co_return *got + others;
  };
  EXPECT_EQ(rt.run(body()), 42);
}

TEST(with_scope_test, a_cancelled_body_has_no_result) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto body = [&]() -> task<bool> {
    try {
      (void)co_await tare::with_scope([](tare::scope& s) -> task<int> {
        s.cancel();
        co_await tare::sleep_for(1s);
        co_return 1;
      });
    } catch (const tare::cancelled&) {
      co_return true;
    }
    co_return false;
  };
  EXPECT_TRUE(rt.run(body()));
}

TEST(with_scope_test, an_error_of_another_task_is_thrown_instead_of_the_result) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto body = [&]() -> task<> {
    (void)co_await tare::with_scope([](tare::scope& s) -> task<int> {
      s.spawn([]() -> task<> {
        co_await tare::sleep_for(1s);
        throw std::runtime_error("no");
      }());
      co_return 1;
    });
  };
  EXPECT_THROW(rt.run(body()), std::runtime_error);
}

}  // namespace
