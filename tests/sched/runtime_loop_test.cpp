// A runtime inside a loop of the program, its threads, and its shutdown.

#include "support/descriptor_limit.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<> count_after(std::chrono::milliseconds delay, std::atomic<int>& counter) {
  co_await tare::sleep_for(delay);
  ++counter;
}

TEST(runtime_poll, runs_what_is_due_and_does_not_wait) {
  tare::runtime rt;
  std::atomic<int> counter = 0;
  EXPECT_FALSE(rt.poll(1s)) << "nothing to do";
  rt.spawn_on(0, count_after(0ms, counter));
  rt.spawn_on(0, count_after(1h, counter));
  for (int i = 0; i < 100 && counter == 0; ++i) (void)rt.poll(1ms);
  EXPECT_EQ(counter, 1);
  EXPECT_FALSE(rt.poll(1h)) << "the other sleeps";
  rt.spawn_on(0, count_after(2ms, counter));
  for (int i = 0; i < 10'000 && counter == 1; ++i) {
    (void)rt.poll(0ms);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(counter, 2);
}

TEST(runtime_poll, returns_after_its_time_although_more_is_due) {
  tare::runtime rt;
  auto busy = []() -> task<> {
    for (;;) co_await tare::yield();
  };
  rt.spawn_on(0, busy());
  EXPECT_TRUE(rt.poll(0ms));
  EXPECT_TRUE(rt.poll(1ms));
}

TEST(runtime_poll, goes_with_run_and_with_other_shards) {
  tare::runtime rt({.shards = 2});
  tare::channel<int> values(0);
  std::atomic<int> got = 0;
  auto receives = [](tare::channel<int>& from, std::atomic<int>& into) -> task<> {
    while (auto next = co_await from.receive()) into += *next;
  };
  rt.spawn_on(0, receives(values, got));
  auto sends = [](tare::channel<int>& into) -> task<> {
    for (int i = 0; i < 10; ++i) (void)co_await into.send(1);
  };
  rt.spawn_on(1, sends(values));
  for (int i = 0; i < 10'000 && got < 10; ++i) {
    (void)rt.poll(0ms);
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(got, 10);
  rt.run(sends(values));
  for (int i = 0; i < 100; ++i) (void)rt.poll(0ms);
  EXPECT_EQ(got, 20);
  values.close();
  EXPECT_TRUE(rt.shutdown(1min));
}

TEST(runtime_poll, does_nothing_where_another_thread_runs_the_shard_and_refuses_tasks) {
  tare::runtime background({.background = true});
  EXPECT_THROW((void)background.poll(1h), std::logic_error);
  tare::runtime rt;
  std::atomic<bool> runs = false;
  std::atomic<bool> polled = false;
  auto waits = [](std::atomic<bool>& begun, std::atomic<bool>& end) -> task<> {
    begun = true;
    while (!end) co_await tare::sleep_for(1ms);
  };
  std::thread runner([&] { rt.run(waits(runs, polled)); });
  while (!runs) std::this_thread::yield();
  EXPECT_FALSE(rt.poll(1h));
  EXPECT_THROW((void)rt.poll_descriptor(), std::logic_error);
  polled = true;
  runner.join();
  auto polls = [](tare::runtime& of) -> task<> {
    EXPECT_THROW((void)of.poll(1ms), std::logic_error);
    EXPECT_THROW((void)of.shutdown(1ms), std::logic_error);
    co_return;
  };
  rt.run(polls(rt));
}

// --- the descriptor of the loop -------------------------------------------------------------------------------------

bool is_readable(int fd, std::chrono::milliseconds within) {
  pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&ready, 1, static_cast<int>(within.count())) == 1;
}

/// Calls `poll` as a loop would, until it has nothing more to do.
void run_all(tare::runtime& rt, int fd) {
  for (int i = 0; i < 1000 && is_readable(fd, 0ms); ++i) (void)rt.poll(1ms);
  EXPECT_FALSE(is_readable(fd, 0ms)) << "the loop outside would spin";
}

TEST(runtime_poll_descriptor, is_readable_for_work_of_each_kind_and_otherwise_not) {
  tare::runtime rt({.shards = 2});
  const int fd = rt.poll_descriptor();
  EXPECT_EQ(rt.poll_descriptor(), fd) << "made once";
  EXPECT_TRUE(is_readable(fd, 0ms)) << "the first poll prepares the rest";
  run_all(rt, fd);

  std::atomic<int> counter = 0;
  rt.spawn_on(0, count_after(0ms, counter));
  EXPECT_TRUE(is_readable(fd, 0ms)) << "work from outside";
  run_all(rt, fd);
  EXPECT_EQ(counter, 1);

  rt.spawn_on(0, count_after(20ms, counter));
  run_all(rt, fd);
  EXPECT_EQ(counter, 1);
  EXPECT_TRUE(is_readable(fd, 10s)) << "a timer";
  run_all(rt, fd);
  EXPECT_EQ(counter, 2);

  tare::channel<int> values(0);
  auto receives = [](tare::channel<int>& from, std::atomic<int>& into) -> task<> {
    if (auto next = co_await from.receive()) into += *next;
  };
  rt.spawn_on(0, receives(values, counter));
  run_all(rt, fd);
  auto sends = [](tare::channel<int>& into) -> task<> { (void)co_await into.send(10); };
  rt.spawn_on(1, sends(values));
  EXPECT_TRUE(is_readable(fd, 10s)) << "work from another shard";
  for (int i = 0; i < 1000 && counter != 12; ++i) {
    if (is_readable(fd, 10ms)) (void)rt.poll(1ms);
  }
  EXPECT_EQ(counter, 12);
}

TEST(runtime_poll_descriptor, stays_readable_while_more_is_due_and_after_run) {
  tare::runtime rt;
  const int fd = rt.poll_descriptor();
  auto busy = []() -> task<> {
    for (;;) co_await tare::yield();
  };
  rt.spawn_on(0, busy());
  EXPECT_TRUE(rt.poll(0ms));
  EXPECT_TRUE(is_readable(fd, 0ms));
  std::atomic<int> counter = 0;
  rt.run(count_after(0ms, counter));
  EXPECT_TRUE(is_readable(fd, 0ms)) << "run has left the busy task behind";
  EXPECT_TRUE(rt.shutdown(1min));
  run_all(rt, fd);
}

TEST(runtime_poll_descriptor, is_woken_by_a_thread_at_any_moment) {
  tare::runtime rt;
  const int fd = rt.poll_descriptor();
  std::atomic<int> counter = 0;
  constexpr int rounds = 2'000;
  std::thread other([&] {
    for (int i = 0; i < rounds; ++i) {
      rt.spawn_on(0, count_after(0ms, counter));
      while (counter.load() <= i) std::this_thread::yield();
    }
  });
  while (counter.load() < rounds && is_readable(fd, 10s)) (void)rt.poll(0ms);
  EXPECT_EQ(counter, rounds) << "a wake-up was lost";
  // Lets the thread end in any case.
  counter = rounds;
  other.join();
}

TEST(runtime_poll_descriptor, is_refused_where_no_loop_outside_can_run_the_shard) {
  tare::runtime background({.background = true});
  EXPECT_THROW((void)background.poll_descriptor(), std::logic_error);
  tare::runtime simulated({.clock = tare::clock_kind::virtual_time});
  EXPECT_THROW((void)simulated.poll_descriptor(), std::logic_error);
  EXPECT_THROW((void)simulated.poll(1ms), std::logic_error);
  tare::runtime rt;
  auto asks = [](tare::runtime& of) -> task<> {
    EXPECT_THROW((void)of.poll_descriptor(), std::logic_error);
    co_return;
  };
  rt.run(asks(rt));
}

TEST(runtime_poll_descriptor, is_refused_without_descriptors_and_can_be_had_later) {
  tare::runtime rt;
  for (rlim_t spare = 0; spare < 3; ++spare) {
    const support::descriptor_limit few(spare);
    EXPECT_THROW((void)rt.poll_descriptor(), std::system_error) << spare;
    EXPECT_FALSE(rt.poll(1ms)) << "without it, poll works";
  }
  const int fd = rt.poll_descriptor();
  run_all(rt, fd);
  std::atomic<int> counter = 0;
  rt.spawn_on(0, count_after(0ms, counter));
  run_all(rt, fd);
  EXPECT_EQ(counter, 1);
}

// --- shutdown -------------------------------------------------------------------------------------------------------

task<> sleeps_for_long(std::atomic<int>& cancelled) {
  try {
    co_await tare::sleep_for(1h);
  } catch (const tare::cancelled&) {
    ++cancelled;
    throw;
  }
}

task<> sleeps(std::chrono::milliseconds time) { co_await tare::sleep_for(time); }

/// A cleanup that takes its time.
task<> ends_slowly(std::chrono::milliseconds time) {
  try {
    co_await tare::sleep_for(1h);
    co_return;
    // NOLINTNEXTLINE(bugprone-empty-catch): the cleanup follows
  } catch (const tare::cancelled&) {
  }
  co_await tare::shield(sleeps(time));
}

TEST(runtime_shutdown, cancels_all_tasks_on_all_shards) {
  for (const bool background : {false, true}) {
    tare::runtime rt({.shards = 3, .background = background});
    std::atomic<int> cancelled = 0;
    for (unsigned i = 0; i < 30; ++i) rt.spawn_on(i % 3, sleeps_for_long(cancelled));
    auto rest = []() -> task<> { co_await tare::sleep_for(5ms); };
    rt.run(rest());
    EXPECT_TRUE(rt.shutdown(1min));
    EXPECT_EQ(rt.detached_tasks(), 0U);
    EXPECT_TRUE(rt.shutdown(0ms)) << "again";
    EXPECT_THROW(rt.run(rest()), std::logic_error);
    EXPECT_LE(cancelled, 30) << "those that had not begun are not run at all";
  }
}

TEST(runtime_shutdown, a_task_that_is_given_afterwards_is_destroyed_without_having_run) {
  const auto alive = std::make_shared<int>(1);
  bool ran = false;
  {
    tare::runtime rt({.shards = 2});
    EXPECT_TRUE(rt.shutdown(1min));
    auto holds = [](std::shared_ptr<int> /*held*/, bool& done) -> task<> {
      done = true;
      co_return;
    };
    for (unsigned i = 0; i < 2; ++i) rt.spawn_on(i, holds(alive, ran));
  }
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_FALSE(ran);
}

TEST(runtime_shutdown, gives_up_at_the_deadline_and_can_go_on) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.spawn_on(0, ends_slowly(100ms));
  auto rest = []() -> task<> { co_await tare::sleep_for(5ms); };
  rt.run(rest());
  EXPECT_FALSE(rt.shutdown(0ms));
  EXPECT_FALSE(rt.shutdown(20ms));
  EXPECT_EQ(rt.detached_tasks(), 1U);
  EXPECT_TRUE(rt.shutdown(200ms));
  EXPECT_EQ(rt.detached_tasks(), 0U);
}

TEST(runtime_shutdown, needs_no_memory) {
  tare::runtime rt({.frame_limit = std::size_t{64} << 10U});
  std::atomic<int> cancelled = 0;
  auto fills = [](std::atomic<int>& counter) -> task<> {
    try {
      for (;;) tare::spawn(sleeps_for_long(counter));
      // NOLINTNEXTLINE(bugprone-empty-catch): the limit is reached
    } catch (const std::bad_alloc&) {
    }
    co_return;
  };
  rt.run(fills(cancelled));
  EXPECT_GT(rt.detached_tasks(), 100U);
  EXPECT_FALSE(rt.shutdown(0ms)) << "they have had no time to end";
  EXPECT_TRUE(rt.shutdown(1min));
  EXPECT_EQ(rt.detached_tasks(), 0U);
}

TEST(runtime_shutdown, ends_a_run_in_another_thread) {
  tare::runtime rt({.shards = 2});
  std::atomic<int> cancelled = 0;
  std::atomic<bool> began = false;
  auto waits = [&]() -> task<> {
    began = true;
    co_await sleeps_for_long(cancelled);
  };
  std::thread runner([&] { EXPECT_THROW(rt.run(waits()), tare::cancelled); });
  while (!began) std::this_thread::yield();
  EXPECT_TRUE(rt.shutdown(1min));
  runner.join();
  EXPECT_EQ(cancelled, 1);
}

TEST(runtime_shutdown, waits_for_a_function_that_offload_runs) {
  tare::runtime rt;
  std::atomic<bool> began = false;
  std::atomic<bool> may_end = false;
  auto blocks = [&]() -> task<> {
    auto wait = [&] {
      began = true;
      while (!may_end) std::this_thread::sleep_for(1ms);
    };
    co_await tare::offload(wait);
  };
  rt.spawn_on(0, blocks());
  while (!began) (void)rt.poll(1ms);
  EXPECT_FALSE(rt.shutdown(20ms)) << "the function cannot be cancelled";
  may_end = true;
  EXPECT_TRUE(rt.shutdown(1min));
}

TEST(runtime_shutdown, leaves_nothing_for_poll_to_run) {
  tare::runtime rt;
  const int fd = rt.poll_descriptor();
  std::atomic<int> counter = 0;
  rt.spawn_on(0, count_after(1h, counter));
  (void)rt.poll(1ms);
  EXPECT_TRUE(rt.shutdown(1min));
  rt.spawn_on(0, count_after(0ms, counter));
  run_all(rt, fd);
  EXPECT_EQ(counter, 0);
}

TEST(runtime_shutdown, in_a_background_runtime_has_a_deadline_too) {
  tare::runtime rt({.shards = 2, .background = true});
  rt.spawn_on(1, ends_slowly(300ms));
  auto rest = []() -> task<> { co_await tare::sleep_for(5ms); };
  rt.run(rest());
  EXPECT_FALSE(rt.shutdown(1ms));
  EXPECT_TRUE(rt.shutdown(1min));
}

// --- threads --------------------------------------------------------------------------------------------------------

TEST(runtime_threads, have_names_and_hooks) {
  std::mutex lock;
  std::set<std::string> names;
  std::vector<tare::shard_id> stopped;
  const auto start = [&](tare::shard_id number) {
    std::array<char, 16> name{};
    EXPECT_EQ(::pthread_getname_np(::pthread_self(), name.data(), name.size()), 0);
    const std::scoped_lock guard(lock);
    names.insert(std::to_string(number) + " " + name.data());
  };
  const auto stop = [&](tare::shard_id number) {
    const std::scoped_lock guard(lock);
    stopped.push_back(number);
  };
  {
    const tare::runtime rt({.shards = 3, .on_thread_start = start, .on_thread_stop = stop});
    const tare::runtime other({.shards = 2,
                               .background = true,
                               .thread_name = "a very long name",
                               .on_thread_start = start,
                               .on_thread_stop = stop});
  }
  EXPECT_EQ(names, (std::set<std::string>{"1 tare/1", "2 tare/2", "0 a very long/0", "1 a very long/1"}));
  EXPECT_EQ(stopped.size(), 4U);
}

TEST(runtime_threads, can_be_bound_to_processors) {
  tare::runtime rt({.shards = 4, .background = true, .pin = true});
  auto count = []() -> task<int> {
    cpu_set_t allowed{};
    co_return ::sched_getaffinity(0, sizeof(allowed), &allowed) == 0 ? CPU_COUNT(&allowed) : -1;
  };
  // The constructor binds a thread after it has started it, and returns when all are bound.
  EXPECT_EQ(rt.run(count()), 1);
}

}  // namespace
