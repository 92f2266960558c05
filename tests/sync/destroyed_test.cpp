// Each primitive is destroyed after a wait for it that has ended in each way, which is what a task whose frame holds
// the primitive does, and while a task waits.

#include "sync/waits.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::test::awaited;
using tare::test::ended_by;
using tare::test::wait_kind;
using tare::test::wait_kinds;

/// Waits, and destroys what it has waited for as soon as it resumes.
task<> wait_and_destroy(const awaited& one, bool& was_cancelled) {
  try {
    co_await one.wait();
  } catch (const tare::cancelled&) {
    was_cancelled = true;
  }
  one.destroy();
}

template <class Body>
void run_in_virtual_time(Body body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

/// A task waits and destroys what it has waited for; `meanwhile` gets its scope while it waits. Returns whether it was
/// cancelled.
bool is_cancelled_by(const awaited& one, const std::function<void(tare::scope&)>& meanwhile) {
  bool was_cancelled = false;
  run_in_virtual_time([&]() -> task<> {
    tare::scope waiting;
    waiting.spawn(wait_and_destroy(one, was_cancelled));
    co_await tare::sleep_for(1ms);
    meanwhile(waiting);
    co_await waiting.join();
  });
  return was_cancelled;
}

class destroyed : public testing::TestWithParam<wait_kind> {};

TEST_P(destroyed, by_the_task_that_has_waited) {
  const awaited one = GetParam().make();
  EXPECT_FALSE(is_cancelled_by(one, [&](tare::scope& /*waiting*/) { (void)one.end(); }));
}

TEST_P(destroyed, by_a_task_that_was_cancelled) {
  const awaited one = GetParam().make();
  EXPECT_TRUE(is_cancelled_by(one, [](tare::scope& waiting) { waiting.cancel(); }));
}

TEST_P(destroyed, by_a_task_that_was_cancelled_before_the_end_of_the_wait) {
  const awaited one = GetParam().make();
  EXPECT_TRUE(is_cancelled_by(one, [&](tare::scope& waiting) {
    waiting.cancel();
    (void)one.end();
  }));
}

// Before the task runs again: it gets what it has waited for. A timer ends its wait only when it has expired.
TEST_P(destroyed, by_a_task_that_was_cancelled_after_the_end_of_the_wait) {
  const awaited one = GetParam().make();
  const bool was_cancelled = is_cancelled_by(one, [&](tare::scope& waiting) {
    (void)one.end();
    waiting.cancel();
  });
  EXPECT_EQ(was_cancelled, GetParam().name == "timer");
}

TEST_P(destroyed, after_a_time_limit) {
  const awaited one = GetParam().make();
  run_in_virtual_time([&]() -> task<> {
    auto waits = [&]() -> task<> { co_await one.wait(); };
    const auto in_time = co_await tare::timeout(1s, waits());
    EXPECT_FALSE(in_time);
    one.destroy();
  });
}

TEST_P(destroyed, before_the_wait_has_begun) {
  const awaited one = GetParam().make();
  run_in_virtual_time([&]() -> task<> {
    {
      const task<> never_awaited = one.wait();
    }
    one.destroy();
    co_return;
  });
}

TEST_P(destroyed, after_the_runtime_that_ended_while_a_task_waited) {
  const awaited one = GetParam().make();
  run_in_virtual_time([&]() -> task<> {
    tare::spawn(one.wait());
    co_await tare::sleep_for(1ms);
  });
  one.destroy();
}

TEST_P(destroyed, while_a_task_waits_ends_the_program) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const awaited one = GetParam().make();
  const auto destroy_while_a_task_waits = [&]() -> task<> {
    tare::spawn(one.wait());
    co_await tare::sleep_for(1ms);
    one.destroy();
  };
  EXPECT_DEATH(run_in_virtual_time(destroy_while_a_task_waits), GetParam().abort_message);
}

class destroyed_early : public testing::TestWithParam<wait_kind> {};

// The sanitizers see it if the call touches what is gone.
TEST_P(destroyed_early, while_the_call_that_ends_the_wait_has_not_returned) {
  for (int round = 0; round < 200; ++round) {
    const awaited one = GetParam().make();
    std::atomic<bool> ready = false;
    std::thread other([&] {
      while (!ready) std::this_thread::yield();
      while (!one.end()) std::this_thread::yield();
    });
    bool was_cancelled = false;
    tare::run([](const awaited& of, std::atomic<bool>& begins, bool& cancelled) -> task<> {
      begins = true;
      co_await wait_and_destroy(of, cancelled);
    }(one, ready, was_cancelled));
    other.join();
    EXPECT_FALSE(was_cancelled);
  }
}

INSTANTIATE_TEST_SUITE_P(each, destroyed, testing::ValuesIn(wait_kinds()),
                         [](const auto& tested) { return tested.param.name; });

INSTANTIATE_TEST_SUITE_P(each, destroyed_early, testing::ValuesIn(wait_kinds(ended_by::any_thread_destroying)),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
