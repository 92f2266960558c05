#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::value_or_task;

task<std::string> load(int id) {
  co_await tare::sleep_for(1ms);
  if (id < 0) throw std::invalid_argument("no such row");
  co_return "loaded " + std::to_string(id);
}

value_or_task<std::string> find(int id) {
  if (id % 2 == 0) return "cached " + std::to_string(id);
  return load(id);
}

void run_virtual(task<> body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(std::move(body));
}

TEST(value_or_task, returns_the_value_or_awaits_the_task) {
  run_virtual([]() -> task<> {
    EXPECT_TRUE(find(2).has_value());
    EXPECT_FALSE(find(1).has_value());  // and its frame is freed
    const auto start = tare::now();
    const std::string cached = co_await find(2);
    EXPECT_EQ(cached, "cached 2");
    EXPECT_EQ(tare::now(), start);
    const std::string loaded = co_await find(1);
    EXPECT_EQ(loaded, "loaded 1");
    EXPECT_GT(tare::now(), start);
  }());
}

TEST(value_or_task, throws_what_the_task_throws) {
  run_virtual([]() -> task<> {
    bool thrown = false;
    try {
      (void)co_await find(-1);
    } catch (const std::invalid_argument&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
  }());
}

TEST(value_or_task, can_be_moved_before_it_is_awaited) {
  run_virtual([]() -> task<> {
    for (const int id : {1, 2}) {
      auto first = find(id);
      auto second = std::move(first);
      auto third = find(3 - id);
      third = std::move(second);
      const std::string got = co_await std::move(third);
      EXPECT_TRUE(got.ends_with(std::to_string(id))) << got;
    }
    value_or_task<std::unique_ptr<int>> owned(std::make_unique<int>(5));
    const auto moved = co_await std::move(owned);
    EXPECT_EQ(*moved, 5);
  }());
}

TEST(value_or_task, can_be_awaited_wherever_it_is) {
  run_virtual([]() -> task<> {
    std::vector<value_or_task<std::string>> found;
    for (int id = 0; id < 4; ++id) found.push_back(find(id));
    std::string all;
    for (auto& each : found) {
      const std::string got = co_await std::move(each);
      all += got + ", ";
    }
    EXPECT_EQ(all, "cached 0, loaded 1, cached 2, loaded 3, ");
    auto awaits = [](value_or_task<std::string>& of) -> task<std::string> { co_return co_await std::move(of); };
    for (const int id : {1, 2}) {
      auto here = find(id);
      const std::string got = co_await awaits(here);  // in another frame
      EXPECT_TRUE(got.ends_with(std::to_string(id))) << got;
    }
  }());
}

// Otherwise the task would be tested for being empty.
static_assert(!std::is_convertible_v<task<int>, value_or_task<bool>>);
static_assert(std::is_convertible_v<const char*, value_or_task<std::string>>);

TEST(value_or_task, works_with_what_takes_awaitables) {
  run_virtual([]() -> task<> {
    const auto in_time = co_await tare::timeout(5ms, find(1));
    EXPECT_EQ(in_time, "loaded 1");
    const auto at_once = co_await tare::timeout(5ms, find(2));
    EXPECT_EQ(at_once, "cached 2");
    auto slow = []() -> value_or_task<int> {
      auto sleeps = []() -> task<int> {
        co_await tare::sleep_for(1h);
        co_return 1;
      };
      return sleeps();
    };
    const auto late = co_await tare::timeout(5ms, slow());
    EXPECT_FALSE(late);
  }());
}

TEST(value_or_task, without_a_value_is_done_or_a_task) {
  run_virtual([]() -> task<> {
    int runs = 0;
    auto flush = [&runs](bool dirty) -> value_or_task<> {
      auto writes = [](int& count) -> task<> {
        co_await tare::sleep_for(1ms);
        ++count;
      };
      if (!dirty) return {};
      return writes(runs);
    };
    co_await flush(false);
    EXPECT_EQ(runs, 0);
    co_await flush(true);
    EXPECT_EQ(runs, 1);
    EXPECT_FALSE(flush(true).has_value());
    EXPECT_EQ(runs, 1);
  }());
}

TEST(value_or_task, a_value_makes_no_frame) {
  run_virtual([]() -> task<> {
    tare::snapshot_options options;
    const auto before = co_await tare::snapshot(options);
    std::vector<value_or_task<std::string>> values;
    for (int i = 0; i < 100; ++i) values.push_back(find(2 * i));
    const auto after = co_await tare::snapshot(options);
    std::size_t frames_before = 0;
    std::size_t frames_after = 0;
    for (const auto& group : before.groups) frames_before += group.count;
    for (const auto& group : after.groups) frames_after += group.count;
    EXPECT_EQ(frames_after, frames_before);
    for (int i = 0; i < 100; ++i) values.push_back(find(2 * i + 1));
    const auto with_tasks = co_await tare::snapshot(options);
    std::size_t frames_with_tasks = 0;
    for (const auto& group : with_tasks.groups) frames_with_tasks += group.count;
    EXPECT_EQ(frames_with_tasks, frames_before + 100);
  }());
}

TEST(value_or_task, lets_others_run_although_values_are_there_at_once) {
  run_virtual([]() -> task<> {
    bool ran = false;
    tare::scope s;
    auto runs = [](bool& done) -> task<> {
      done = true;
      co_return;
    };
    s.spawn(runs(ran));
    for (int i = 0; i < 1000; ++i) (void)co_await find(2);
    EXPECT_TRUE(ran);
    co_await s.join();
  }());
}

TEST(value_or_task, a_cancelled_task_gets_a_value_that_is_there) {
  run_virtual([]() -> task<> {
    tare::scope s;
    std::string log;
    auto body = [](tare::scope& own, std::string& to) -> task<> {
      own.cancel();
      to += co_await find(2);
      try {
        to += co_await find(1);
      } catch (const tare::cancelled&) {
        to += ", cancelled";
      }
    };
    s.spawn(body(s, log));
    co_await s.join();
    EXPECT_EQ(log, "cached 2, cancelled");
  }());
}

TEST(value_or_task_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto twice = []() -> task<> {
    auto once = find(1);
    auto moved = std::move(once);
    (void)co_await std::move(once);  // NOLINT(bugprone-use-after-move): that is the test
  };
  EXPECT_DEATH(run_virtual(twice()), "co_await of a value_or_task of an empty task");
}

}  // namespace
