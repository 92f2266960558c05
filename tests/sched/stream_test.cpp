#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::stream;
using tare::task;

/// Counts what is alive in the frames of streams.
class alive {
 public:
  alive() { ++count; }
  alive(const alive&) = delete;
  alive& operator=(const alive&) = delete;
  ~alive() { --count; }
  static inline std::atomic<int> count = 0;
};

stream<int> numbers(int end, std::chrono::milliseconds pause = 0ms) {
  const alive here;
  for (int i = 0; i < end; ++i) {
    if (pause != 0ms) co_await tare::sleep_for(pause);
    co_yield i;
  }
}

stream<int> fails_after(int count) {
  const alive here;
  for (int i = 0; i < count; ++i) co_yield i;
  throw std::runtime_error("the source");
}

template <class T>
task<std::vector<T>> collect(stream<T> from) {
  std::vector<T> all;
  while (auto next = co_await from.next()) all.push_back(std::move(*next));
  co_return all;
}

void run_virtual(task<> body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(std::move(body));
  EXPECT_EQ(alive::count, 0);
}

TEST(stream, delivers_values_in_order_and_then_nothing) {
  run_virtual([]() -> task<> {
    auto few = numbers(3, 1ms);
    for (int i = 0; i < 3; ++i) {
      const auto next = co_await few.next();
      EXPECT_EQ(next, i);
    }
    for (int i = 0; i < 3; ++i) {
      const auto none = co_await few.next();
      EXPECT_EQ(none, std::nullopt);
    }
    const auto none = co_await collect(numbers(0));
    EXPECT_TRUE(none.empty());
    const auto many = co_await collect(numbers(10'000));
    EXPECT_EQ(many.size(), 10'000U);
    EXPECT_EQ(many.back(), 9'999);
  }());
}

TEST(stream, yields_what_can_only_be_moved) {
  run_virtual([]() -> task<> {
    auto owned = [](int count) -> stream<std::unique_ptr<int>> {
      for (int i = 0; i < count; ++i) co_yield std::make_unique<int>(i);
    };
    const auto all = co_await collect(owned(3));
    EXPECT_EQ(*all.at(2), 2);
  }());
}

TEST(stream, an_error_comes_out_of_next_and_ends_it) {
  run_virtual([]() -> task<> {
    auto failing = fails_after(1);
    const auto first = co_await failing.next();
    EXPECT_EQ(first, 0);
    bool thrown = false;
    try {
      (void)co_await failing.next();
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    EXPECT_EQ(alive::count, 0);
    const auto none = co_await failing.next();
    EXPECT_EQ(none, std::nullopt);
  }());
}

TEST(stream, can_be_dropped_in_every_state) {
  run_virtual([]() -> task<> {
    for (int taken = 0; taken <= 4; ++taken) {
      auto some = numbers(3, 1ms);
      for (int i = 0; i < taken; ++i) (void)co_await some.next();
      auto moved = std::move(some);
      const auto none = co_await some.next();  // NOLINT(bugprone-use-after-move): that is the test
      EXPECT_EQ(none, std::nullopt);
      EXPECT_EQ(alive::count, taken == 0 || taken == 4 ? 0 : 1);
    }
    EXPECT_EQ(alive::count, 0);
  }());
}

TEST(stream, cancellation_reaches_the_await_of_the_stream_and_ends_it) {
  run_virtual([]() -> task<> {
    tare::channel<int> values(4);
    auto received = tare::to_stream(values);
    const auto late = co_await tare::timeout(5ms, received.next());
    EXPECT_FALSE(late);
    int one = 1;
    EXPECT_TRUE(values.try_send(one));
    const auto ended = co_await received.next();
    EXPECT_EQ(ended, std::nullopt);
    EXPECT_EQ(values.size(), 1U) << "what the source has stays there";

    auto slow = numbers(3, 10ms);
    const auto too_late = co_await tare::timeout(5ms, slow.next());
    EXPECT_FALSE(too_late);
    EXPECT_EQ(alive::count, 0);
  }());
}

TEST(stream, a_cancellation_that_comes_after_the_value_does_not_reach_the_next_consumer) {
  run_virtual([]() -> task<> {
    tare::channel<int> values(4);
    auto received = tare::to_stream(values);
    auto takes = [](stream<int>& from, std::optional<int>& to) -> task<> { to = co_await from.next(); };
    std::optional<int> got;
    tare::scope first;
    first.spawn(takes(received, got));
    co_await tare::yield();
    int one = 1;
    EXPECT_TRUE(values.try_send(one));  // the stream has it, and is about to run
    first.cancel();
    co_await first.join();
    EXPECT_EQ(got, 1);

    auto sends = [](tare::channel<int>& into) -> task<> {
      co_await tare::sleep_for(1ms);
      int two = 2;
      EXPECT_TRUE(into.try_send(two));
    };
    tare::scope other;
    other.spawn(sends(values));
    const auto next = co_await received.next();
    EXPECT_EQ(next, 2);
    co_await other.join();
  }());
}

TEST(stream, a_task_that_is_already_cancelled_cancels_it) {
  run_virtual([]() -> task<> {
    bool cancelled = false;
    tare::scope s;
    auto takes = [](tare::scope& own, bool& seen) -> task<> {
      auto all = numbers(3, 1ms);
      (void)co_await all.next();
      own.cancel();
      try {
        (void)co_await all.next();
      } catch (const tare::cancelled&) {
        seen = true;
      }
    };
    s.spawn(takes(s, cancelled));
    co_await s.join();
    EXPECT_TRUE(cancelled);
  }());
}

TEST(stream, moves_between_shards_with_its_consumer) {
  tare::runtime rt({.shards = 3});
  auto body = []() -> task<> {
    auto moving = [](unsigned count) -> stream<unsigned> {
      for (unsigned i = 0; i < count; ++i) {
        co_await tare::resume_on(i % 3);
        co_yield i;
      }
    };
    auto all = moving(50);
    unsigned expected = 0;
    while (auto next = co_await all.next()) {
      EXPECT_EQ(*next, expected++);
      EXPECT_EQ(tare::this_shard(), *next % 3);
      if (*next % 2 == 0) co_await tare::resume_on(0);
    }
    EXPECT_EQ(expected, 50U);
  };
  rt.run(body());
}

TEST(stream, lets_others_run_although_its_values_are_there_at_once) {
  run_virtual([]() -> task<> {
    bool ran = false;
    tare::scope s;
    auto runs = [](bool& done) -> task<> {
      done = true;
      co_return;
    };
    s.spawn(runs(ran));
    auto all = numbers(10'000);
    int before = 0;
    while (auto next = co_await all.next()) {
      if (!ran) before = *next;
    }
    EXPECT_LT(before, 1000);
    co_await s.join();
  }());
}

TEST(stream_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto two_tasks = []() -> task<> {
    auto slow = numbers(3, 1h);
    auto take_one = [](stream<int>& of) -> task<> { (void)co_await of.next(); };
    co_await tare::when_all(take_one(slow), take_one(slow));
  };
  EXPECT_DEATH(run_virtual(two_tasks()), "stream::next: another task waits in the stream");
  auto destroyed = []() -> task<> {
    std::optional<stream<int>> slow(numbers(3, 1h));
    tare::scope s;
    auto take_one = [](stream<int>& of) -> task<> { (void)co_await of.next(); };
    s.spawn(take_one(*slow));
    co_await tare::yield();
    slow.reset();
    co_await s.join();
  };
  EXPECT_DEATH(run_virtual(destroyed()), "stream::~stream: destroyed while a task waits in `next`");
  auto moved = []() -> task<> {
    auto slow = numbers(3, 1h);
    tare::scope s;
    auto take_one = [](stream<int>& of) -> task<> { (void)co_await of.next(); };
    s.spawn(take_one(slow));
    co_await tare::yield();
    const auto elsewhere = std::move(slow);
    co_await s.join();
  };
  EXPECT_DEATH(run_virtual(moved()), "stream::stream: moved while a task waits in `next`");
}

// --- adapters -------------------------------------------------------------------------------------------------------

TEST(stream_adapters, map_and_filter_take_functions_and_coroutines) {
  run_virtual([]() -> task<> {
    const auto doubled = co_await collect(tare::map(numbers(4), [](int n) { return std::to_string(2 * n); }));
    EXPECT_EQ(doubled, (std::vector<std::string>{"0", "2", "4", "6"}));
    auto slowly = [](int n) -> task<long> {
      co_await tare::sleep_for(1ms);
      co_return n + 1;
    };
    const auto added = co_await collect(tare::map(numbers(3), slowly));
    EXPECT_EQ(added, (std::vector<long>{1, 2, 3}));
    const auto odd = co_await collect(tare::filter(numbers(6), [](const int& n) { return n % 2 == 1; }));
    EXPECT_EQ(odd, (std::vector<int>{1, 3, 5}));
    auto asks = [](const int& n) -> task<bool> {
      const int number = n;
      co_await tare::yield();
      co_return number > 3;
    };
    const auto large = co_await collect(tare::filter(numbers(6), asks));
    EXPECT_EQ(large, (std::vector<int>{4, 5}));
  }());
}

TEST(stream_adapters, take_ends_the_source) {
  run_virtual([]() -> task<> {
    auto two = tare::take(numbers(100), 2);
    (void)co_await two.next();
    EXPECT_EQ(alive::count, 1);
    (void)co_await two.next();
    EXPECT_EQ(alive::count, 0) << "before anybody asks for a third";
    const auto none = co_await two.next();
    EXPECT_EQ(none, std::nullopt);
    const auto nothing = co_await collect(tare::take(numbers(3), 0));
    EXPECT_TRUE(nothing.empty());
    const auto all = co_await collect(tare::take(numbers(3), 10));
    EXPECT_EQ(all.size(), 3U);
  }());
}

TEST(stream_adapters, chunks_have_the_size_and_the_last_is_shorter) {
  run_virtual([]() -> task<> {
    for (int count = 0; count < 8; ++count) {
      std::vector<int> all;
      auto threes = tare::chunks(numbers(count), 3);
      while (auto chunk = co_await threes.next()) {
        EXPECT_TRUE(chunk->size() == 3 || all.size() + chunk->size() == static_cast<std::size_t>(count));
        EXPECT_FALSE(chunk->empty());
        all.insert(all.end(), chunk->begin(), chunk->end());
      }
      const auto expected = co_await collect(numbers(count));
      EXPECT_EQ(all, expected);
    }
  }());
}

TEST(stream_adapters, throttle_spaces_values) {
  run_virtual([]() -> task<> {
    auto spaced = tare::throttle(numbers(4), 10ms);
    const auto start = tare::now();
    std::vector<long> at;
    while (auto next = co_await spaced.next()) at.push_back((tare::now() - start) / 1ms);
    EXPECT_EQ(at, (std::vector<long>{0, 10, 20, 30}));
  }());
}

TEST(stream_adapters, merge_delivers_all_in_the_order_they_come) {
  run_virtual([]() -> task<> {
    auto both = tare::merge(numbers(4, 10ms), tare::map(numbers(3, 15ms), [](int n) { return 100 + n; }));
    const auto all = co_await collect(std::move(both));
    std::vector<int> sorted = all;
    EXPECT_EQ(all.front(), 0);
    std::ranges::sort(sorted);
    EXPECT_EQ(sorted, (std::vector<int>{0, 1, 2, 3, 100, 101, 102}));
    const auto none = co_await collect(tare::merge(std::vector<stream<int>>()));
    EXPECT_TRUE(none.empty());
  }());
}

TEST(stream_adapters, merge_stops_its_sources_when_it_is_dropped_or_fails) {
  run_virtual([]() -> task<> {
    for (int taken = 0; taken < 4; ++taken) {
      {
        auto both = tare::merge(numbers(100, 1h), numbers(100, 1ms));
        for (int i = 0; i < taken; ++i) (void)co_await both.next();
      }
      co_await tare::sleep_for(1ms);
      EXPECT_EQ(alive::count, 0) << taken;
    }
    auto failing = tare::merge(numbers(100, 1h), fails_after(2));
    int values = 0;
    bool thrown = false;
    try {
      while (auto next = co_await failing.next()) ++values;
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    EXPECT_EQ(values, 2);
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(alive::count, 0);
    auto waiting = tare::merge(numbers(100, 1h), numbers(100, 1h));
    const auto late = co_await tare::timeout(1ms, waiting.next());
    EXPECT_FALSE(late);
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(alive::count, 0);
  }());
}

TEST(stream_adapters, streams_from_channels_broadcasts_and_intervals) {
  run_virtual([]() -> task<> {
    auto [sender, receiver] = tare::make_channel<int>(8);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(sender.try_send(i));
    sender = {};
    const auto all = co_await collect(tare::to_stream(std::move(receiver)));
    EXPECT_EQ(all, (std::vector<int>{0, 1, 2}));

    tare::broadcast<int> news(2);
    {
      auto mine = tare::to_stream(news.subscribe());
      for (int i = 0; i < 3; ++i) (void)co_await news.send(i);
      news.close();
      const auto first = co_await mine.next();
      EXPECT_TRUE(first && **first == 1 && first->skipped() == 1);
      (void)co_await mine.next();
      const auto none = co_await mine.next();
      EXPECT_FALSE(none);
    }
    const auto start = tare::now();
    auto ticks = tare::take(tare::to_stream(tare::interval(10ms)), 3);
    int count = 0;
    while (auto due = co_await ticks.next()) {
      ++count;
      EXPECT_EQ(*due, start + count * 10ms);
      EXPECT_GE(tare::now(), *due);
    }
    EXPECT_EQ(count, 3);
  }());
}

}  // namespace
