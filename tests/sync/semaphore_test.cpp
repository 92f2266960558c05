#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

namespace {

using namespace std::chrono_literals;
using tare::task;

class semaphore_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(semaphore_test, lets_so_many_in_and_no_more) {
  int inside = 0;
  int most = 0;
  auto enter = [&](tare::semaphore& slots) -> task<> {
    const auto permit = co_await slots.acquire();
    most = std::max(most, ++inside);
    co_await tare::sleep_for(1ms);
    --inside;
  };
  auto body = [&]() -> task<> {
    tare::semaphore slots(3);
    tare::scope s;
    for (int i = 0; i < 100; ++i) s.spawn(enter(slots));
    co_await s.join();
    EXPECT_EQ(slots.available(), 3U);
  };
  rt_.run(body());
  EXPECT_EQ(most, 3);
}

TEST_F(semaphore_test, is_fair_to_large_requests) {
  std::string order;
  auto take = [&](tare::semaphore& from, std::size_t count, char name) -> task<> {
    const auto permit = co_await from.acquire(count);
    order += name;
    co_await tare::sleep_for(1ms);
  };
  auto body = [&]() -> task<> {
    tare::semaphore permits(4);
    tare::scope s;
    s.spawn(take(permits, 3, 'a'));
    s.spawn(take(permits, 4, 'b'));
    s.spawn(take(permits, 1, 'c'));  // would fit beside a, but b came first
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(order, "abc");
}

TEST_F(semaphore_test, a_cancelled_waiter_takes_no_permit_and_holds_up_nobody) {
  int entered = 0;
  auto take = [&](tare::semaphore& from, std::size_t count) -> task<> {
    const auto permit = co_await from.acquire(count);
    ++entered;
  };
  auto body = [&]() -> task<> {
    tare::semaphore permits(2);
    auto held = co_await permits.acquire();
    tare::scope doomed;
    doomed.spawn(take(permits, 2));
    co_await tare::yield();
    tare::scope behind;
    behind.spawn(take(permits, 1));
    co_await tare::yield();
    EXPECT_EQ(entered, 0);
    doomed.cancel();
    co_await doomed.join();
    co_await behind.join();
    EXPECT_EQ(entered, 1);
    held.release();
    EXPECT_EQ(permits.available(), 2U);
  };
  rt_.run(body());
}

TEST_F(semaphore_test, a_permit_granted_before_the_cancellation_is_not_lost) {
  auto take = [](tare::semaphore& from) -> task<> {
    const auto permit = co_await from.acquire();
    co_await tare::sleep_for(1h);
  };
  auto body = [&]() -> task<> {
    tare::semaphore permits(0);
    tare::scope s;
    s.spawn(take(permits));
    co_await tare::yield();
    permits.release();  // granted, in the run queue
    s.cancel();         // and now cancelled
    co_await s.join();
    EXPECT_EQ(permits.available(), 1U);
  };
  rt_.run(body());
}

TEST_F(semaphore_test, byte_budget_refuses_what_can_never_be) {
  auto body = []() -> task<> {
    tare::byte_budget budget(1000);
    EXPECT_THROW((void)budget.acquire(1001), std::length_error);
    const auto share = co_await budget.acquire(600);
    EXPECT_FALSE(budget.try_acquire(500));
    EXPECT_EQ(budget.available(), 400U);
  };
  rt_.run(body());
}

TEST(mutex, excludes_across_shards) {
  tare::runtime rt({.shards = 3});
  tare::mutex m;
  tare::latch done(30);
  long counter = 0;
  auto add = [&]() -> task<> {
    for (int i = 0; i < 1000; ++i) {
      const auto guard = co_await m.lock();
      const long seen = counter;
      if (i % 16 == 0) co_await tare::yield();
      counter = seen + 1;
    }
    done.count_down();
  };
  auto body = [&]() -> task<> {
    for (unsigned i = 0; i < 30; ++i) tare::spawn_on(i % 3, add());
    co_await done.wait();
    // The last one may still be about to unlock.
    const auto guard = co_await m.lock();
    EXPECT_EQ(counter, 30'000);
  };
  rt.run(body());
}

TEST(semaphore, counts_beyond_what_a_word_holds_lose_nothing) {
  constexpr std::size_t half = std::size_t{1} << 63U;
  for (const std::size_t wanted : {half - 1, half, half + 1, SIZE_MAX}) {
    tare::semaphore few(100);
    EXPECT_FALSE(few.try_acquire(wanted)) << wanted;
    auto body = [&]() -> task<bool> {
      auto all = [](tare::semaphore& of, std::size_t count) -> task<> { (void)co_await of.acquire(count); };
      co_return (co_await tare::timeout(std::chrono::seconds(1), all(few, wanted))).has_value();
    };
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    EXPECT_FALSE(rt.run(body())) << wanted;
    EXPECT_EQ(few.available(), 100U);

    tare::semaphore many(wanted);
    EXPECT_EQ(many.available(), half - 1);
    {
      const auto all = many.try_acquire(wanted);
      EXPECT_TRUE(all);
      EXPECT_EQ(many.available(), 0U);
      EXPECT_FALSE(many.try_acquire(1));
    }
    EXPECT_EQ(many.available(), half - 1);
    many.release(wanted);  // more than there ever were
    EXPECT_EQ(many.available(), half - 1);
  }
}

TEST(semaphore, releases_to_waiters_beyond_what_a_word_holds_lose_nothing) {
  tare::semaphore none(0);
  auto takes = [](tare::semaphore& of) -> task<> {
    auto one = co_await of.acquire(1);
    co_await tare::sleep_for(std::chrono::seconds(1));
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    for (int i = 0; i < 3; ++i) s.spawn(takes(none));
    co_await tare::yield();
    none.release(SIZE_MAX);
    co_await s.join();
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
  EXPECT_EQ(none.available(), SIZE_MAX >> 1U);
}

}  // namespace
