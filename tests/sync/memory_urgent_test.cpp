// Urgent requests have room of their own in the memory budget, when they are admitted and when they grow.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

namespace {

using namespace std::chrono_literals;
using tare::memory_budget;
using tare::memory_share;
using tare::task;

constexpr std::size_t kib = 1024;
constexpr std::size_t urgent = 128 * kib;  // kept for urgent requests beside the reserve

void in_virtual_time(const std::function<task<>()>& body) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(memory_urgent, urgent_requests_have_room_of_their_own) {
  in_virtual_time([]() -> task<> {
    memory_budget budget(1000 * kib + urgent, [] { return std::size_t{0}; });
    budget.keep_reserve(400 * kib);
    memory_share rest = budget.try_admit(600 * kib);
    memory_share reserve = co_await budget.admit(400 * kib, 1s);
    EXPECT_TRUE(reserve.has_reserve());
    auto wait = [&]() -> task<> { EXPECT_FALSE(co_await budget.admit(1, 100ms)); };
    tare::spawn(wait());
    co_await tare::sleep_for(10ms);
    EXPECT_EQ(budget.waiting(), 1U);
    memory_share one = budget.try_admit_urgent(urgent / 4);
    EXPECT_TRUE(one);
    EXPECT_TRUE(one.try_grow_to(urgent / 2));
    EXPECT_FALSE(one.try_grow_to(urgent + 1));
    memory_share other = budget.try_admit_urgent(urgent / 2);
    EXPECT_TRUE(other);
    EXPECT_FALSE(budget.try_admit_urgent(1));
    EXPECT_EQ(budget.promised(), budget.limit());
    co_await tare::sleep_for(200ms);
  });
}

/// All room is taken, also that of urgent requests; `waits` grows by half of that in whatever way the wait ends.
TEST(memory_urgent, an_urgent_share_needs_no_turn_and_loses_nothing_however_its_wait_ends) {
  enum class end : std::uint8_t { room, time, cancellation };
  for (const end how : {end::room, end::time, end::cancellation}) {
    in_virtual_time([how]() -> task<> {
      memory_budget budget(1000 * kib + urgent, [] { return std::size_t{0}; });
      budget.keep_reserve(400 * kib);
      const memory_share rest = budget.try_admit(600 * kib);
      memory_share first = budget.try_admit_urgent(urgent);
      memory_share waits = budget.try_admit_urgent(0);
      EXPECT_TRUE(rest && first && waits);
      std::optional<bool> grown;
      auto grow = [&]() -> task<> { grown = co_await waits.resize(urgent / 2, 50ms); };
      auto body = [&](tare::scope& s) -> task<> {
        s.spawn(grow());
        co_await tare::sleep_for(10ms);
        EXPECT_EQ(budget.waiting(), 1U);
        // The turn is another one's, who gets the reserve and keeps it.
        const memory_share other = co_await budget.admit(200 * kib, 1s);
        EXPECT_TRUE(other.has_reserve());
        EXPECT_FALSE(grown);
        if (how == end::room) first.release();
        if (how == end::cancellation) s.cancel();
        co_await tare::sleep_for(how == end::time ? 60ms : 5ms);
      };
      co_await tare::with_scope(body);
      EXPECT_EQ(grown, how == end::room ? std::optional(true) : how == end::time ? std::optional(false) : std::nullopt);
      EXPECT_EQ(waits.bytes(), how == end::room ? urgent / 2 : 0);
      EXPECT_EQ(budget.waiting(), 0U);
    });
  }
}

TEST(memory_urgent, an_urgent_share_that_waits_blocks_no_other) {
  in_virtual_time([]() -> task<> {
    memory_budget budget(1000 * kib + urgent, [] { return std::size_t{0}; });
    budget.keep_reserve(400 * kib);
    memory_share rest = budget.try_admit(600 * kib);
    const memory_share first = budget.try_admit_urgent(urgent);
    memory_share waits = budget.try_admit_urgent(0);
    auto grow = [&]() -> task<> { EXPECT_TRUE(co_await waits.resize(urgent / 2, 1s)); };
    auto body = [&](tare::scope& s) -> task<> {
      s.spawn(grow());
      co_await tare::sleep_for(10ms);
      EXPECT_EQ(budget.waiting(), 1U);
      rest.shrink_to(100 * kib);
      EXPECT_TRUE(budget.try_admit(1));
    };
    co_await tare::with_scope(body);
  });
}

}  // namespace
