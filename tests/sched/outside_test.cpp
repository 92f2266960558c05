// Calls that need a task but are made outside one: a message names the call and the fix, and there is never a null
// dereference. Also, what works everywhere.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<> nothing() { co_return; }

struct call {
  std::string name;
  std::string mend;
  std::function<void()> make;
};

std::vector<call> calls_that_need_a_task() {
  return {
      {"tare::spawn", "tare::runtime::spawn_on", [] { tare::spawn(nothing()); }},
      {"tare::spawn_on", "tare::runtime::spawn_on", [] { tare::spawn_on(0, nothing()); }},
      {"tare::spawn_balanced", "tare::runtime::spawn_on", [] { tare::spawn_balanced(nothing()); }},
      {"tare::this_shard", "tare::run", [] { (void)tare::this_shard(); }},
      {"tare::memory", "tare::runtime::memory", [] { (void)tare::memory(); }},
  };
}

TEST(outside_of_a_task_DeathTest, calls_name_themselves_and_the_mend) {
  for (const call& each : calls_that_need_a_task()) {
    EXPECT_DEATH(each.make(), each.name + ": called outside a task: .*" + each.mend) << each.name;
  }
}

TEST(outside_of_a_task_DeathTest, also_when_a_runtime_has_been_driven_by_this_thread) {
  tare::run(nothing());
  for (const call& each : calls_that_need_a_task()) {
    EXPECT_DEATH(each.make(), each.name + ": called outside a task") << each.name;
  }
}

TEST(outside_of_a_task_DeathTest, also_on_a_thread_beside_a_runtime) {
  for (const call& each : calls_that_need_a_task()) {
    EXPECT_DEATH(std::thread(each.make).join(), each.name + ": called outside a task") << each.name;
  }
}

TEST(outside_of_a_task, time_is_that_of_the_steady_clock) {
  const auto before = std::chrono::steady_clock::now();
  const auto seen = tare::now();
  EXPECT_LE(before, seen);
  EXPECT_LE(seen, std::chrono::steady_clock::now());
}

TEST(outside_of_a_task, an_interval_may_be_made) {
  const auto before = std::chrono::steady_clock::now();
  tare::interval every(1h);
  EXPECT_GE(every.next(), before + 1h);
  EXPECT_LE(every.next(), std::chrono::steady_clock::now() + 1h);
  (void)every.tick();  // only a request; a task must await it
}

TEST(outside_of_a_task, what_a_task_has_made_may_end) {
  tare::semaphore free{2};
  tare::semaphore_permit permit;
  tare::event happened;
  tare::run(
      [](tare::semaphore& of, tare::semaphore_permit& into) -> task<> { into = co_await of.acquire(); }(free, permit));
  EXPECT_EQ(free.available(), 1U);
  permit.release();
  happened.set();
  EXPECT_EQ(free.available(), 2U);
  EXPECT_TRUE(happened.is_set());
  const task<> never_awaited = nothing();
}

}  // namespace
