// What a task weighs that waits on each primitive, beyond the 32 bytes of a frame that waits on nothing.

#include "support/own_memory.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

#if defined(__clang__)
constexpr bool compact_frames = true;
#else
constexpr bool compact_frames = false;  // g++ 12 keeps more in the frame
#endif

constexpr std::size_t count = 100'000;

task<> rest() {
  co_await tare::yield();
  co_await tare::sleep_for(30ms);
}

task<> sleeper() { co_await tare::sleep_for(1h); }

/// Bytes of each of many tasks from `make()`, minus those of a sleeper.
template <class Make>
double weigh(Make make) {
  double weight = 0;
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      const double before = support::resident_bytes();
      for (std::size_t i = 0; i < count; ++i) s.spawn(sleeper());
      co_await rest();
      const double sleepers = support::resident_bytes();
      for (std::size_t i = 0; i < count; ++i) s.spawn(make());
      co_await rest();
      weight = ((support::resident_bytes() - sleepers) - (sleepers - before)) / count;
      s.cancel();
    });
  };
  tare::run(body());
  std::printf("%.1f bytes\n", weight);
  return weight;
}

void expect_at_most(double weight, double bytes) {
  if (compact_frames) {
    EXPECT_LE(weight, bytes + 1);
  } else {
    EXPECT_LE(weight, 3 * bytes + 200);
  }
}

task<> wait_for_notification(tare::notify& on) { co_await on.wait(); }
task<> lock_shared(tare::shared_mutex& m) { auto guard = co_await m.lock_shared(); }
task<> try_lock(tare::mutex& m) { auto guard = co_await m.try_lock_for(1h); }
task<> lock_guarded(tare::guarded<int>& value) { auto guard = co_await value.lock(); }
task<> arrive(tare::barrier& at) { (void)co_await at.arrive_and_wait(); }
task<> receive_broadcast(tare::broadcast<int>::receiver from) { (void)co_await from.receive(); }
task<> watch_changes(tare::watch<int>::receiver from) { (void)co_await from.changed(); }
task<> receive_from_half(const tare::channel_receiver<int>& from) { (void)co_await from.receive(); }
task<> wait_for_condition(tare::mutex& m, tare::condition_variable& on) {
  auto guard = co_await m.lock();
  co_await on.wait(guard);
}
task<> wait_for_condition_for_a_while(tare::mutex& m, tare::condition_variable& on) {
  auto guard = co_await m.lock();
  (void)co_await on.wait_for(guard, 1h);
}
task<> try_lock_guarded(tare::guarded<int>& value) { (void)co_await value.try_lock_for(1h); }
task<> send_broadcast(tare::broadcast<int>& into) { (void)co_await into.send(1); }
task<> send_into_half(const tare::channel_sender<int>& into) { (void)co_await into.send(1); }
tare::stream<int> slow_numbers() {
  co_await tare::sleep_for(1h);
  co_yield 1;
}
task<> await_stream() {
  auto numbers = slow_numbers();
  (void)co_await numbers.next();
}
template <class T>
task<T> slow_task() {
  co_await tare::sleep_for(1h);
  co_return T();
}
template <class T>
tare::value_or_task<T> slow_value() {
  return slow_task<T>();
}
template <class T>
task<> await_value() {
  (void)co_await slow_value<T>();
}
template <class T>
task<> await_task() {
  (void)co_await slow_task<T>();
}

task<> wait_for_event(tare::event& on) { co_await on.wait(); }
task<> wait_for_latch(tare::latch& on) { co_await on.wait(); }
task<> lock(tare::mutex& m) { auto guard = co_await m.lock(); }
task<> acquire(tare::semaphore& from) { auto permit = co_await from.acquire(); }
task<> receive(tare::channel<int>& from) { (void)co_await from.receive(); }
task<> send(tare::channel<int>& into) { (void)co_await into.send(1); }
task<> receive_either(tare::channel<int>& first, tare::channel<int>& second) {
  (void)co_await tare::select(first.receive(), second.receive());
}

task<> receive_once(tare::oneshot<int>& from) { (void)co_await from.receive(); }
task<> receive_from_half(tare::oneshot_receiver<int> from) { (void)co_await from.receive(); }
task<> wait_for_timer() {
  tare::timer alarm(1h);
  co_await alarm.wait();
}
task<> sleep_with_a_limit() { (void)co_await tare::timeout(2h, sleeper()); }
task<> wait_for_waker(std::vector<tare::waker>& wakers) {
  co_await tare::suspend([&wakers](tare::waker one) { wakers.push_back(std::move(one)); });
}

TEST(waiting_memory, event_and_latch) {
  tare::event on;
  expect_at_most(weigh([&] { return wait_for_event(on); }), 56);
  tare::latch last(1);
  expect_at_most(weigh([&] { return wait_for_latch(last); }), 56);
}

TEST(waiting_memory, mutex_and_semaphore) {
  tare::mutex m;
  const auto held = m.try_lock();
  expect_at_most(weigh([&] { return lock(m); }), 72);
  tare::semaphore none(0);
  expect_at_most(weigh([&] { return acquire(none); }), 72);
}

/// 64 and the value, rounded up.
TEST(waiting_memory, channel) {
  tare::channel<int> values(0);
  expect_at_most(weigh([&] { return receive(values); }), 68);
  tare::channel<int> others(0);
  expect_at_most(weigh([&] { return send(others); }), 68);
}

TEST(waiting_memory, select_of_two_channels) {
  tare::channel<int> values(0);
  tare::channel<int> other(0);
  expect_at_most(weigh([&] { return receive_either(values, other); }), 176);
}

TEST(waiting_memory, notify) {
  tare::notify on;
  expect_at_most(weigh([&] { return wait_for_notification(on); }), 56);
}

TEST(waiting_memory, shared_mutex) {
  tare::shared_mutex m;
  const auto writing = m.try_lock();
  expect_at_most(weigh([&] { return lock_shared(m); }), 72);
}

TEST(waiting_memory, lock_with_a_limit) {
  tare::mutex m;
  const auto held = m.try_lock();
  expect_at_most(weigh([&] { return try_lock(m); }), 112);
}

TEST(waiting_memory, guarded) {
  tare::guarded<int> value(1);
  const auto held = value.try_lock();
  expect_at_most(weigh([&] { return lock_guarded(value); }), 80);
}

TEST(waiting_memory, barrier) {
  tare::barrier at(2 * count);
  expect_at_most(weigh([&] { return arrive(at); }), 64);
}

/// And 24 for the guard and the reference.
TEST(waiting_memory, condition_variable) {
  tare::mutex m;
  tare::condition_variable on;
  expect_at_most(weigh([&] { return wait_for_condition(m, on); }), 96 + 24);
}

TEST(waiting_memory, broadcast_takes_16_bytes_per_receiver_beside_the_wait) {
  tare::broadcast<int> news(8);
  expect_at_most(weigh([&] { return receive_broadcast(news.subscribe()); }), 80 + 16);
}

TEST(waiting_memory, watch_takes_16_bytes_per_receiver_beside_the_wait) {
  tare::watch<int> value(1);
  expect_at_most(weigh([&] { return watch_changes(value.subscribe()); }), 48 + 16);
}

TEST(waiting_memory, half_of_a_channel) {
  const auto halves = tare::make_channel<int>(1);
  expect_at_most(weigh([&] { return receive_from_half(halves.receiver); }), 80);
}

TEST(waiting_memory, value_or_task) {
  const double of_task = weigh([] { return await_task<int>(); });
  const double of_value = weigh([] { return await_value<int>(); });
  expect_at_most(of_value - of_task, 8);
  const double of_string_task = weigh([] { return await_task<std::string>(); });
  const double of_string_value = weigh([] { return await_value<std::string>(); });
  expect_at_most(of_string_value - of_string_task, 48);
}

TEST(waiting_memory, condition_variable_with_a_limit) {
  tare::mutex m;
  tare::condition_variable on;
  expect_at_most(weigh([&] { return wait_for_condition_for_a_while(m, on); }), 152 + 24);
}

TEST(waiting_memory, guarded_with_a_limit) {
  tare::guarded<int> value(1);
  const auto held = value.try_lock();
  expect_at_most(weigh([&] { return try_lock_guarded(value); }), 120);
}

TEST(waiting_memory, send_into_a_half_of_a_channel) {
  const auto halves = tare::make_channel<int>(0);
  expect_at_most(weigh([&] { return send_into_half(halves.sender); }), 88);
}

/// And the value, which takes 32 bytes of malloc.
TEST(waiting_memory, send_of_a_broadcast) {
  tare::broadcast<int> news(1, tare::slow_receivers::wait);
  const auto slow = news.subscribe();
  int first = 1;
  EXPECT_TRUE(news.try_send(first));
  expect_at_most(weigh([&] { return send_broadcast(news); }), 112 + 32);
}

TEST(waiting_memory, stream) {
  expect_at_most(weigh([] { return await_stream(); }), 64);
}

// What the headers say.
static_assert(sizeof(tare::notify) == 16);
static_assert(sizeof(tare::barrier) == 20);
static_assert(sizeof(tare::condition_variable) == 12);
static_assert(sizeof(tare::shared_mutex) == 24);
static_assert(sizeof(tare::guarded<long>) == sizeof(long) + 24);
static_assert(sizeof(tare::guarded<long>::guard) == 24);
static_assert(sizeof(tare::watch<long>) == sizeof(long) + 32);
static_assert(sizeof(tare::watch<long>::receiver) == 16);
static_assert(sizeof(tare::broadcast<int>::receiver) == 16);
static_assert(sizeof(tare::channel_sender<int>) == 8);
static_assert(sizeof(tare::detail::channel_state<int>) == 136);

TEST(waiting_memory, oneshot) {
  std::deque<tare::oneshot<int>> all(count);
  std::size_t next = 0;
  expect_at_most(weigh([&] { return receive_once(all[next++]); }), 56);
}

/// Beside the wait of 72 and the value: the half in the frame, and an allocation of 24 and the value, in malloc's 48.
TEST(waiting_memory, half_of_a_oneshot) {
  std::vector<tare::oneshot_sender<int>> senders(count);
  std::size_t next = 0;
  auto make = [&] {
    auto [sender, receiver] = tare::make_oneshot<int>();
    senders[next++] = std::move(sender);
    return receive_from_half(std::move(receiver));
  };
  expect_at_most(weigh(make), 72 + 8 + 8 + 48);
}

/// With the timer itself, of 24.
TEST(waiting_memory, timer) {
  expect_at_most(weigh([] { return wait_for_timer(); }), 72 + 24);
}

/// With the frame that sleeps, of 32, and what the arena adds.
TEST(waiting_memory, timeout) {
  expect_at_most(weigh([] { return sleep_with_a_limit(); }), 184 + 32 + 4);
}

/// Beside the wait of 48: the callable and the parameter, 8 each; an allocation of 24, in malloc's 32; and the waker.
TEST(waiting_memory, suspend) {
  std::vector<tare::waker> wakers;
  wakers.reserve(count);
  expect_at_most(weigh([&] { return wait_for_waker(wakers); }), 48 + 8 + 8 + 32 + sizeof(tare::waker));
}

}  // namespace
