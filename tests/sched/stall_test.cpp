// Virtual time in which nothing can happen any more: the runtime prints a message and the tasks, and never hangs
// silently. If something may still happen, it prints nothing.

#include "sched/stall.hpp"

#include "support/sanitizers.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr tare::clock_kind simulated = tare::clock_kind::virtual_time;

/// ThreadSanitizer has its own thread, even in a forked process, so it is never certain that no other thread is left.
bool is_certain_here() { return !support::has_thread_sanitizer && tare::detail::count_threads() == 1; }

task<> waits(tare::event& on) { co_await on.wait(); }

struct stalled {
  std::string name;
  std::function<void()> run;
};

std::vector<stalled> programs_that_cannot_go_on() {
  return {
      {"an event that is never set",
       [] {
         tare::event never;
         tare::runtime rt({.clock = simulated});
         rt.run(waits(never));
       }},
      {"several shards",
       [] {
         tare::event never;
         tare::runtime rt({.shards = 3, .clock = simulated});
         auto body = [&]() -> task<> {
           tare::spawn_on(1, waits(never));
           tare::spawn_on(2, waits(never));
           co_await never.wait();
         };
         rt.run(body());
       }},
      {"two locks in two orders",
       [] {
         tare::mutex one;
         tare::mutex other;
         auto takes = [](tare::mutex& first, tare::mutex& second) -> task<> {
           auto held = co_await first.lock();
           co_await tare::sleep_for(1ms);
           auto wanted = co_await second.lock();
         };
         auto body = [&]() -> task<> { co_await tare::when_all(takes(one, other), takes(other, one)); };
         tare::runtime rt({.clock = simulated});
         rt.run(body());
       }},
      {"after calls on other threads",
       [] {
         tare::event never;
         auto body = [&]() -> task<> {
           co_await tare::offload([] {});
           co_await tare::sleep_for(1h);
           co_await never.wait();
         };
         tare::runtime rt({.clock = simulated});
         rt.run(body());
       }},
      {"a oneshot whose sender is in the waiting task",
       [] {
         auto body = []() -> task<> {
           auto [sender, receiver] = tare::make_oneshot<int>();
           (void)co_await receiver.receive();
         };
         tare::runtime rt({.clock = simulated});
         rt.run(body());
       }},
      {"a task that the destructor waits for",
       [] {
         tare::event never;
         auto stays = [](tare::event& on) -> task<> { co_await tare::shield(waits(on)); };
         auto body = [&]() -> task<> {
           tare::spawn(stays(never));
           co_await tare::yield();
         };
         tare::runtime rt({.clock = simulated});
         rt.run(body());
       }},
      {"a runtime in the background whose only caller waits",
       [] {
         tare::event never;
         tare::runtime rt({.shards = 2, .clock = simulated, .background = true});
         rt.run(waits(never));
       }},
      {"sleep at the end of time",
       [] {
         auto body = []() -> task<> {
           for (;;) co_await tare::sleep_for(std::chrono::nanoseconds::max());
         };
         tare::runtime rt({.clock = simulated});
         rt.run(body());
       }},
  };
}

TEST(stall_DeathTest, ends_with_the_tasks_and_what_they_wait_for) {
  if (!is_certain_here()) GTEST_SKIP() << "there is another thread";
  for (const stalled& each : programs_that_cannot_go_on()) {
    EXPECT_DEATH(each.run(), "deadlock in virtual time(.|\n)*(primitive|timer)") << each.name;
  }
}

// The following must not end the program.

TEST(stall, is_none_while_a_thread_may_wake_a_task) {
  for (const unsigned shards : {1U, 3U}) {
    tare::event happens;
    tare::runtime rt({.shards = shards, .clock = simulated});
    std::thread outside([&] {
      std::this_thread::sleep_for(20ms);
      happens.set();
    });
    rt.run(waits(happens));
    outside.join();
  }
}

TEST(stall, is_none_while_a_call_is_under_way) {
  tare::event happens;
  auto sets = [](tare::event& on) -> task<> {
    co_await tare::offload([] { std::this_thread::sleep_for(20ms); });
    on.set();
  };
  auto body = [&]() -> task<> {
    tare::spawn(sets(happens));
    co_await happens.wait();
  };
  tare::runtime rt({.clock = simulated});
  rt.run(body());
}

TEST(stall, is_none_when_a_call_itself_wakes_the_task) {
  tare::event happens;
  auto calls = [](tare::event& on) -> task<> { co_await tare::offload([&] { on.set(); }); };
  auto body = [&]() -> task<> {
    for (int i = 0; i < 100; ++i) {
      happens.reset();
      tare::spawn(calls(happens));
      co_await happens.wait();
    }
  };
  tare::runtime rt({.clock = simulated});
  rt.run(body());
}

TEST(stall, is_none_in_an_idle_runtime) {
  tare::event happens;
  tare::runtime rt({.shards = 2, .clock = simulated, .background = true});
  std::this_thread::sleep_for(5ms);
  rt.spawn_on(1, waits(happens));
  std::this_thread::sleep_for(5ms);  // this thread may still set it
  happens.set();
  rt.run([]() -> task<> { co_await tare::sleep_for(1h); }());
}

TEST(stall, is_none_between_two_runs) {
  tare::event happens;
  tare::runtime rt({.shards = 2, .clock = simulated});
  rt.run([](tare::event& on) -> task<> {
    tare::spawn_on(1, waits(on));
    co_await tare::sleep_for(1ms);
  }(happens));
  happens.set();
  rt.run([]() -> task<> { co_await tare::sleep_for(1h); }());
}

TEST(stall, is_none_while_another_caller_is_on_its_way) {
  // Callers arrive and leave; each wakes the task of the other.
  for (int round = 0; round < 200; ++round) {
    tare::event one;
    tare::event other;
    tare::runtime rt({.clock = simulated, .background = round % 2 == 0});
    auto sets = [](tare::event& first, tare::event& second) -> task<> {
      first.set();
      co_await second.wait();
    };
    std::thread caller([&] { rt.run(sets(one, other)); });
    rt.run(sets(other, one));
    caller.join();
  }
}

}  // namespace
