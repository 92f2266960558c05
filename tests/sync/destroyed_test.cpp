// Each primitive is destroyed in each state of a wait for it: while the task waits, which is reported, and after the
// wait has ended in any way, which is what a task whose frame holds the primitive does.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

/// A primitive, a wait for it, what ends the wait, and its destruction.
struct subject {
  std::function<task<>()> wait;
  std::function<void()> end;
  std::function<void()> destroy;
};

struct primitive {
  std::string name;
  std::function<subject()> make;
};

template <class P>
subject subject_of(std::shared_ptr<P> one, std::function<task<>(P&)> wait, std::function<void(P&)> end) {
  auto shared = std::make_shared<std::shared_ptr<P>>(std::move(one));
  return {.wait = [shared, wait = std::move(wait)] { return wait(**shared); },
          .end = [shared, end = std::move(end)] { end(**shared); },
          .destroy = [shared] { shared->reset(); }};
}

subject make_event() {
  return subject_of<tare::event>(
      std::make_shared<tare::event>(), [](tare::event& one) -> task<> { co_await one.wait(); },
      [](tare::event& one) { one.set(); });
}

subject make_latch() {
  return subject_of<tare::latch>(
      std::make_shared<tare::latch>(1U), [](tare::latch& one) -> task<> { co_await one.wait(); },
      [](tare::latch& one) { one.count_down(); });
}

subject make_notify() {
  return subject_of<tare::notify>(
      std::make_shared<tare::notify>(), [](tare::notify& one) -> task<> { co_await one.wait(); },
      [](tare::notify& one) { one.notify_one(); });
}

subject make_barrier() {
  return subject_of<tare::barrier>(
      std::make_shared<tare::barrier>(2U), [](tare::barrier& one) -> task<> { (void)co_await one.arrive_and_wait(); },
      [](tare::barrier& one) { one.arrive_and_drop(); });
}

subject make_semaphore() {
  return subject_of<tare::semaphore>(
      std::make_shared<tare::semaphore>(0U),
      [](tare::semaphore& one) -> task<> {
        auto permit = co_await one.acquire();
        permit.forget();
      },
      [](tare::semaphore& one) { one.release(); });
}

subject make_closed_semaphore() {
  return subject_of<tare::semaphore>(
      std::make_shared<tare::semaphore>(0U), [](tare::semaphore& one) -> task<> { (void)co_await one.acquire(); },
      [](tare::semaphore& one) { one.close(); });
}

/// One that is locked until `end`, or until nobody waits for it any more.
template <class Lock, class Wait>
subject locked_subject(Wait wait) {
  auto lock = std::make_shared<Lock>();
  auto guard = std::make_shared<typename Lock::guard>(lock->try_lock());
  auto owner = std::make_shared<std::shared_ptr<Lock>>(std::move(lock));
  return {.wait = [owner, wait] { return wait(**owner); },
          .end = [guard] { guard->release(); },
          .destroy =
              [owner, guard] {
                guard->release();
                owner->reset();
              }};
}

subject make_mutex() {
  return locked_subject<tare::mutex>([](tare::mutex& one) -> task<> {
    auto guard = co_await one.lock();
    guard.release();
  });
}

subject make_shared_mutex() {
  return locked_subject<tare::shared_mutex>([](tare::shared_mutex& one) -> task<> {
    auto guard = co_await one.lock_shared();
    guard.release();
  });
}

subject make_timed_lock() {
  return locked_subject<tare::mutex>([](tare::mutex& one) -> task<> {
    auto guard = co_await one.try_lock_for(1h);
    guard.release();
  });
}

subject make_condition_variable() {
  struct type {
    tare::mutex lock;
    tare::condition_variable changed;
  };
  return subject_of<type>(
      std::make_shared<type>(),
      [](type& of) -> task<> {
        auto guard = co_await of.lock.lock();
        co_await of.changed.wait(guard);
        guard.release();
      },
      [](type& of) { of.changed.notify_one(); });
}

subject make_receive() {
  return subject_of<tare::channel<int>>(
      std::make_shared<tare::channel<int>>(1U), [](tare::channel<int>& one) -> task<> { (void)co_await one.receive(); },
      [](tare::channel<int>& one) {
        int value = 1;
        (void)one.try_send(value);
      });
}

subject make_send() {
  return subject_of<tare::channel<int>>(
      std::make_shared<tare::channel<int>>(0U), [](tare::channel<int>& one) -> task<> { (void)co_await one.send(1); },
      [](tare::channel<int>& one) { (void)one.try_receive(); });
}

subject make_closed_channel() {
  return subject_of<tare::channel<int>>(
      std::make_shared<tare::channel<int>>(0U), [](tare::channel<int>& one) -> task<> { (void)co_await one.receive(); },
      [](tare::channel<int>& one) { one.close(); });
}

subject make_oneshot() {
  return subject_of<tare::oneshot<int>>(
      std::make_shared<tare::oneshot<int>>(), [](tare::oneshot<int>& one) -> task<> { (void)co_await one.receive(); },
      [](tare::oneshot<int>& one) { (void)one.send(1); });
}

subject make_broadcast_receive() {
  struct type {
    tare::broadcast<int> sent{1};
    tare::broadcast<int>::receiver one = sent.subscribe();
  };
  return subject_of<type>(
      std::make_shared<type>(), [](type& of) -> task<> { (void)co_await of.one.receive(); },
      [](type& of) {
        int value = 1;
        (void)of.sent.try_send(value);
      });
}

subject make_watch() {
  struct type {
    tare::watch<int> value{1};
    tare::watch<int>::receiver seen = value.subscribe();
  };
  return subject_of<type>(
      std::make_shared<type>(), [](type& of) -> task<> { (void)co_await of.seen.changed(); },
      [](type& of) { of.value.set(2); });
}

subject make_timer() {
  return subject_of<tare::timer>(
      std::make_shared<tare::timer>(24h), [](tare::timer& one) -> task<> { co_await one.wait(); },
      [](tare::timer& one) { one.reset(0s); });
}

/// Waits for two at once, of which `end` ends one.
subject make_select() {
  struct type {
    tare::event lost;
    tare::channel<int> won{1};
  };
  return subject_of<type>(
      std::make_shared<type>(),
      [](type& of) -> task<> { (void)co_await tare::select(of.lost.wait(), of.won.receive()); },
      [](type& of) {
        int value = 1;
        (void)of.won.try_send(value);
      });
}

std::vector<primitive> primitives() {
  return {
      {"event", make_event},
      {"latch", make_latch},
      {"notify", make_notify},
      {"barrier", make_barrier},
      {"semaphore", make_semaphore},
      {"closed_semaphore", make_closed_semaphore},
      {"mutex", make_mutex},
      {"mutex_with_a_limit", make_timed_lock},
      {"shared_mutex", make_shared_mutex},
      {"condition_variable", make_condition_variable},
      {"receive", make_receive},
      {"send", make_send},
      {"closed_channel", make_closed_channel},
      {"oneshot", make_oneshot},
      {"broadcast", make_broadcast_receive},
      {"watch", make_watch},
      {"timer", make_timer},
      {"select", make_select},
  };
}

class destroyed : public testing::TestWithParam<primitive> {
 protected:
  /// Runs it in virtual time.
  template <class Body>
  static void run(Body body) {
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    rt.run(body());
  }
};

/// Waits, and destroys what it has waited for as soon as it resumes.
task<> wait_and_destroy(const subject& of, bool& was_cancelled) {
  try {
    co_await of.wait();
  } catch (const tare::cancelled&) {
    was_cancelled = true;
  }
  of.destroy();
}

TEST_P(destroyed, by_the_task_that_has_waited) {
  const subject one = GetParam().make();
  bool was_cancelled = false;
  run([&]() -> task<> {
    tare::scope waiting;
    waiting.spawn(wait_and_destroy(one, was_cancelled));
    co_await tare::sleep_for(1ms);
    one.end();
    co_await waiting.join();
  });
  EXPECT_FALSE(was_cancelled);
}

TEST_P(destroyed, by_a_task_that_was_cancelled) {
  const subject one = GetParam().make();
  bool was_cancelled = false;
  run([&]() -> task<> {
    tare::scope waiting;
    waiting.spawn(wait_and_destroy(one, was_cancelled));
    co_await tare::sleep_for(1ms);
    waiting.cancel();
    co_await waiting.join();
  });
  EXPECT_TRUE(was_cancelled);
}

// In either order, before the task runs again.
TEST_P(destroyed, by_a_task_that_was_woken_and_cancelled_at_once) {
  for (const bool cancelled_first : {false, true}) {
    const subject one = GetParam().make();
    bool was_cancelled = false;
    run([&]() -> task<> {
      tare::scope waiting;
      waiting.spawn(wait_and_destroy(one, was_cancelled));
      co_await tare::sleep_for(1ms);
      if (cancelled_first) waiting.cancel();
      one.end();
      waiting.cancel();
      co_await waiting.join();
    });
    if (cancelled_first) {
      EXPECT_TRUE(was_cancelled);
    }
  }
}

TEST_P(destroyed, after_a_time_limit) {
  const subject one = GetParam().make();
  run([&]() -> task<> {
    auto waits = [&]() -> task<> { co_await one.wait(); };
    const auto in_time = co_await tare::timeout(1s, waits());
    EXPECT_FALSE(in_time);
    one.destroy();
  });
}

TEST_P(destroyed, before_the_wait_has_begun) {
  const subject one = GetParam().make();
  run([&]() -> task<> {
    {
      const task<> never_awaited = one.wait();
    }
    one.destroy();
    co_return;
  });
}

TEST_P(destroyed, after_the_runtime_that_ended_while_a_task_waited) {
  const subject one = GetParam().make();
  run([&]() -> task<> {
    tare::spawn(one.wait());
    co_await tare::sleep_for(1ms);
  });
  one.destroy();
}

INSTANTIATE_TEST_SUITE_P(each, destroyed, testing::ValuesIn(primitives()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
