// Threads outside of a runtime that wake its last task: the runtime may end while they are still in the call.
//
// What they would touch afterwards is read by nobody else, so ThreadSanitizer and AddressSanitizer are the judges.

#include "sync/waits.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::test::awaited;
using tare::test::ended_by;
using tare::test::wait_kind;
using tare::test::wait_kinds;

void end(const awaited& one) {
  while (!one.end()) std::this_thread::yield();
}

/// The runtime has a last task, which waits; `wake` is called on another thread. Returns when the runtime has ended.
void end_while_it_is_woken(const awaited& one, const std::function<void()>& wake, tare::runtime_options options,
                           int busy_for) {
  std::atomic<bool> ready = false;
  auto busy = [&]() -> task<> {
    ready = true;
    for (int i = 0; i < busy_for; ++i) co_await tare::yield();
  };
  auto body = [&]() -> task<> { co_await tare::when_all(one.wait(), busy()); };
  std::thread other([&] {
    while (!ready) std::this_thread::yield();
    wake();
  });
  {
    tare::runtime rt(std::move(options));
    rt.run(body());
  }
  other.join();
}

class foreign_wake_test : public testing::TestWithParam<wait_kind> {};

TEST_P(foreign_wake_test, of_the_last_task_does_not_touch_what_is_gone) {
  for (int round = 0; round < 60; ++round) {
    const awaited one = GetParam().make();
    end_while_it_is_woken(one, [&] { end(one); }, {.shards = 1U + static_cast<unsigned>(round) % 2}, round * 7 % 200);
  }
}

TEST_P(foreign_wake_test, under_a_virtual_clock) {
  for (int round = 0; round < 30; ++round) {
    const awaited one = GetParam().make();
    end_while_it_is_woken(one, [&] { end(one); }, {.clock = tare::clock_kind::virtual_time}, round * 7 % 200);
  }
}

TEST_P(foreign_wake_test, by_another_runtime) {
  for (int round = 0; round < 30; ++round) {
    const awaited one = GetParam().make();
    // The other runtime's task is woken by nobody: it wakes, on a thread that is a shard, but not of ours.
    const auto wake = [&] {
      tare::run([](const awaited& of) -> task<> {
        end(of);
        co_return;
      }(one));
    };
    end_while_it_is_woken(one, wake, {}, round * 7 % 200);
  }
}

INSTANTIATE_TEST_SUITE_P(calls, foreign_wake_test, testing::ValuesIn(wait_kinds(ended_by::any_thread)),
                         [](const auto& tested) { return tested.param.name; });

/// Waits for an event as `wait` does, but in between its two looks at the event, another thread sets it.
class late_wait {
 public:
  class awaiter {
   public:
    awaiter(late_wait request, tare::detail::wait_state& task) noexcept
        : on_(request.on_), setter_(request.setter_), inner_(request.on_.wait(), task) {}
    [[nodiscard]] bool await_ready() const noexcept { return inner_.await_ready(); }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> self) {
      setter_ = std::thread([&on = on_] { on.set(); });
      while (!on_.is_set()) {
      }
      return inner_.await_suspend(self);
    }
    static void await_resume() { tare::event::wait_awaiter::await_resume(); }

   private:
    tare::event& on_;
    std::thread& setter_;
    tare::event::wait_awaiter inner_;
  };
  using tare_awaiter = awaiter;

  late_wait(tare::event& on, std::thread& setter) noexcept : on_(on), setter_(setter) {}

 private:
  tare::event& on_;
  std::thread& setter_;
};

TEST(event_end, waits_for_set_to_leave_it) {
  // With many waiters `set` is in the event for a while after it has become set; whoever goes on may destroy it.
  constexpr int waiters = 50'000;
  for (int round = 0; round < 5; ++round) {
    alignas(tare::event) std::byte place[sizeof(tare::event)];
    auto* const on = ::new (place) tare::event;
    int woken = 0;
    auto waits = [&]() -> task<> {
      co_await on->wait();
      ++woken;
    };
    auto body = [&]() -> task<> {
      std::thread setter;
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        for (int i = 0; i < waiters; ++i) s.spawn(waits());
        co_await tare::yield();
        co_await late_wait(*on, setter);
        std::destroy_at(on);
        std::memset(place, 0xEE, sizeof(place));
      });
      setter.join();
    };
    tare::run(body());
    EXPECT_EQ(woken, waiters);
    for (const std::byte each : place) EXPECT_EQ(each, std::byte{0xEE});
  }
}

}  // namespace
