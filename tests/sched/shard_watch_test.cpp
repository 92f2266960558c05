// What a watch says of shards that work, sleep, are late, and are held up.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// Works without an await, until `enough`.
template <class Enough>
void hold_up(Enough enough) {
  while (!enough()) std::this_thread::sleep_for(1ms);
}

task<> yields(int times) {
  for (int i = 0; i < times; ++i) co_await tare::yield();
}

task<> sleeps(std::chrono::milliseconds time) { co_await tare::sleep_for(time); }

/// Keeps the messages of a watch.
class messages {
 public:
  void add(const tare::long_slice& found) {
    const std::scoped_lock guard(lock_);
    all_.push_back(found);
  }
  [[nodiscard]] std::vector<tare::long_slice> all() const {
    const std::scoped_lock guard(lock_);
    return all_;
  }
  [[nodiscard]] bool empty() const { return all().empty(); }

 private:
  mutable std::mutex lock_;
  std::vector<tare::long_slice> all_;
};

TEST(shard_watch, counts_slices_of_each_shard_from_its_beginning) {
  tare::runtime rt({.shards = 2, .background = true});
  rt.run(yields(1000));
  const tare::shard_watch watch(rt, {.max_slice = 0ns});
  auto on_shard_1 = []() -> task<> {
    co_await tare::resume_on(1);
    co_await yields(100);
  };
  rt.run(on_shard_1());
  const auto figures = watch.figures();
  ASSERT_EQ(figures.size(), 2U);
  EXPECT_LT(figures[0].slices.count(), 100U) << "those before the watch are not counted";
  EXPECT_GE(figures[1].slices.count(), 100U);
  EXPECT_GT(figures[1].slices.sum, 0ns);
  EXPECT_GT(figures[1].longest_slice, 0ns);
  EXPECT_NE(figures[1].longest_slice_resume, nullptr);
}

TEST(shard_watch, knows_sleep_from_work) {
  for (const bool background : {false, true}) {
    tare::runtime rt({.shards = 2, .background = background});
    std::this_thread::sleep_for(20ms);  // the shards' threads fall asleep
    const tare::shard_watch watch(rt);
    std::this_thread::sleep_for(200ms);
    for (const auto& each : watch.figures()) {
      EXPECT_GE(each.watched, 200ms);
      EXPECT_LT(each.busy_share(), 0.5) << "nothing to do, with background " << background;
      EXPECT_EQ(each.tasks, 0);
    }
    auto works = []() -> task<> {
      const auto until = std::chrono::steady_clock::now() + 300ms;
      while (std::chrono::steady_clock::now() < until) co_await tare::yield();
    };
    const auto before = watch.figures();
    rt.run(works());
    const auto after = watch.figures();
    const auto asleep = after[0].asleep - before[0].asleep;
    EXPECT_LT(asleep, 150ms) << "with background " << background;
  }
}

TEST(shard_watch, the_time_between_two_polls_of_a_loop_outside_is_sleep) {
  for (const bool with_descriptor : {false, true}) {
    tare::runtime rt;
    if (with_descriptor) (void)rt.poll_descriptor();
    const tare::shard_watch watch(rt);
    for (int i = 0; i < 20; ++i) {
      (void)rt.poll(1ms);
      std::this_thread::sleep_for(10ms);
    }
    EXPECT_LT(watch.figures()[0].busy_share(), 0.5) << "with a descriptor: " << with_descriptor;
  }
}

TEST(shard_watch, names_a_slice_that_holds_up_its_shard_once_and_while_it_runs) {
  messages seen;
  tare::runtime rt({.shards = 2, .background = true});
  const tare::shard_watch watch(rt, {.max_slice = 20ms, .on_long_slice = [&](const auto& found) { seen.add(found); }});
  auto holds = [](messages& until) -> task<> {
    co_await tare::yield();
    hold_up([&] { return !until.empty(); });
    hold_up([i = 0]() mutable { return ++i == 100; });
  };
  auto on_shard_1 = [&]() -> task<> {
    co_await tare::resume_on(1);
    co_await holds(seen);
  };
  rt.run(on_shard_1());
  const auto found = seen.all();
  ASSERT_EQ(found.size(), 1U) << "once, however long it lasts";
  EXPECT_EQ(found[0].shard, 1U);
  EXPECT_GT(found[0].lasted, 20ms);
  EXPECT_NE(found[0].resume, nullptr);
  EXPECT_EQ(found[0].suspend_index, std::nullopt) << "without a table";
  // The slice ends a little later than what it has finished.
  auto figures = watch.figures();
  for (int i = 0; i < 10'000 && figures[1].longest_slice < found[0].lasted; ++i) {
    std::this_thread::sleep_for(1ms);
    figures = watch.figures();
  }
  EXPECT_EQ(figures[1].longest_slice_resume, found[0].resume);
  EXPECT_GE(figures[1].longest_slice, found[0].lasted);
  EXPECT_GE(figures[1].slices.buckets[5] + figures[1].slices.buckets[6], 1U) << "longer than 100 ms";
}

TEST(shard_watch, prints_a_line_if_nobody_takes_the_message) {
  testing::internal::CaptureStderr();
  {
    tare::runtime rt;
    const tare::shard_watch watch(rt, {.max_slice = 5ms});
    auto holds = []() -> task<> {
      std::this_thread::sleep_for(100ms);
      co_return;
    };
    rt.run(holds());
  }
  const std::string printed = testing::internal::GetCapturedStderr();
  EXPECT_NE(printed.find("tare: shard 0 has run one task for "), std::string::npos) << printed;
}

TEST(shard_watch, measures_how_late_timers_are) {
  tare::runtime rt;
  const tare::shard_watch watch(rt, {.max_slice = 0ns});
  auto delays = [](tare::scope& in) -> task<> {
    in.spawn(sleeps(1ms));
    co_await tare::yield();
    std::this_thread::sleep_for(50ms);  // while the timer expires
  };
  rt.run(tare::with_scope(delays));
  const auto figures = watch.figures();
  EXPECT_GE(figures[0].timers.count(), 1U);
  EXPECT_GT(figures[0].latest_timer, 30ms);
  EXPECT_GE(figures[0].timers.sum, figures[0].latest_timer);
}

TEST(shard_watch, counts_tasks_and_those_that_can_run) {
  tare::runtime rt;
  const tare::shard_watch watch(rt, {.max_slice = 0ns});
  std::vector<tare::shard_figures> during;
  auto looks = [&](tare::scope& in) -> task<> {
    for (int i = 0; i < 500; ++i) in.spawn(yields(10));
    std::this_thread::sleep_for(110ms);
    for (int i = 0; i < 3; ++i) co_await tare::yield();
    during = watch.figures();
  };
  rt.run(tare::with_scope(looks));
  ASSERT_EQ(during.size(), 1U);
  EXPECT_GE(during[0].queued, 400U);
  EXPECT_GE(during[0].tasks, 500);
}

TEST(shard_watch, is_one_per_runtime_at_a_time_and_leaves_nothing_behind) {
  tare::runtime rt({.shards = 2, .background = true});
  for (int i = 0; i < 100; ++i) {
    const tare::shard_watch watch(rt, {.max_slice = 1ms});
    EXPECT_THROW(tare::shard_watch(rt, {}), std::logic_error);
    rt.run(yields(10));
    EXPECT_LT(watch.figures()[0].slices.count(), 100U) << "each counts anew";
  }
  EXPECT_THROW(tare::shard_watch(rt, {.max_slice = -1ns}), std::invalid_argument);
  const tare::shard_watch after_a_refusal(rt);
}

TEST(shard_watch, may_come_and_go_while_the_shards_work) {
  tare::runtime rt({.shards = 3, .background = true});
  std::atomic<bool> stop = false;
  auto works = [](std::atomic<bool>& until) -> task<> {
    while (!until) {
      co_await tare::sleep_for(1ms);
      co_await yields(5);
    }
  };
  const tare::await_table none;
  for (unsigned i = 0; i < 30; ++i) rt.spawn_on(i % 3, works(stop));
  for (int i = 0; i < 200; ++i) {
    const tare::shard_watch watch(rt, {.awaits = i % 2 == 0 ? &none : nullptr});
    for (const auto& each : watch.figures()) {
      EXPECT_GE(each.busy_share(), 0);
      EXPECT_LE(each.busy_share(), 1);
    }
  }
  stop = true;
  EXPECT_TRUE(rt.shutdown(1min));
}

}  // namespace
