// Waiting for room in the memory budget, in virtual time: who gets it, what the reserve is for, and that nothing is
// lost whoever gives up when.

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

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

/// A process that holds what the shares have, and so much more.
struct simulated {
  explicit simulated(std::size_t limit, std::size_t besides = 0)
      : base(besides), budget(limit, [this] { return held(); }) {}
  [[nodiscard]] std::size_t held() const { return base + used; }

  std::size_t base;
  std::size_t used = 0;
  memory_budget budget;
};

TEST(memory_waiting, is_first_come_first_served_and_nobody_overtakes) {
  in_virtual_time([]() -> task<> {
    memory_budget budget(1000, [] { return std::size_t{0}; });
    memory_share all = budget.try_admit(1000);
    std::vector<int> order;
    auto wait = [&](int number, std::size_t bytes) -> task<> {
      memory_share share = co_await budget.admit(bytes, 1h);
      EXPECT_EQ(share.bytes(), bytes);
      order.push_back(number);
      co_await tare::sleep_for(10ms);
    };
    auto body = [&](tare::scope& s) -> task<> {
      // The first is large, and those behind it would fit sooner.
      const std::vector<std::size_t> sizes{900, 100, 1000, 1, 500, 500};
      for (int i = 0; i < 6; ++i) {
        s.spawn(wait(i, sizes.at(static_cast<std::size_t>(i))));
        co_await tare::sleep_for(1ms);
      }
      EXPECT_EQ(budget.waiting(), 6U);
      all.shrink_to(500);
      co_await tare::sleep_for(10ms);
      EXPECT_TRUE(order.empty()) << "the first one does not fit yet";
      EXPECT_FALSE(budget.try_admit(1)) << "others wait";
      all.release();
    };
    co_await tare::with_scope(body);
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(budget.promised(), 0U);
    EXPECT_EQ(budget.waiting(), 0U);
  });
}

TEST(memory_waiting, ends_with_its_time_and_leaves_the_share_as_it_was) {
  in_virtual_time([]() -> task<> {
    memory_budget budget(1000, [] { return std::size_t{0}; });
    memory_share all = budget.try_admit(600);
    memory_share mine = budget.try_admit(300);
    const auto began = tare::now();
    const bool grown = co_await mine.resize(500, 2s);
    EXPECT_FALSE(grown);
    EXPECT_GE(tare::now() - began, 2s);
    EXPECT_LE(tare::now() - began, 2100ms);
    EXPECT_EQ(mine.bytes(), 300U);
    EXPECT_EQ(budget.refusals(), 1U);
    const bool never = co_await mine.resize(1001, 1h);
    EXPECT_FALSE(never) << "it could never fit, so it is refused at once";
    EXPECT_LE(tare::now() - began, 2100ms);
    EXPECT_TRUE(mine.try_grow_to(400)) << "nobody waits any more";
  });
}

TEST(memory_waiting, sees_room_that_the_process_has_given_back) {
  in_virtual_time([]() -> task<> {
    std::size_t held = 1000;
    memory_budget budget(1000, [&] { return held; });
    auto free_soon = [&]() -> task<> {
      co_await tare::sleep_for(50ms);
      held = 100;
    };
    tare::spawn(free_soon());
    EXPECT_FALSE(budget.try_admit(500));
    co_await tare::sleep_for(1ms);
    held = 100;
    memory_budget other(1000, [&] { return held; });
    held = 1000;
    co_await tare::sleep_for(1ms);
    EXPECT_FALSE(other.try_admit(500));
    memory_share share = co_await other.admit(500, 1s);
    EXPECT_TRUE(share);
  });
}

// Each holds something and waits for more. Without a reserve nothing would ever happen here.
TEST(memory_waiting, those_that_hold_and_wait_all_come_to_their_ends_one_after_the_other) {
  in_virtual_time([]() -> task<> {
    constexpr std::size_t body = 100 * kib;
    constexpr std::size_t response = 300 * kib;
    simulated process(2000 * kib);
    process.budget.keep_reserve(body + response);
    std::vector<int> ended;
    int with_reserve = 0;
    int max_with_reserve = 0;
    auto request = [&](int number) -> task<> {
      memory_share share = co_await process.budget.admit(body, 1h);
      EXPECT_TRUE(share);
      process.used += body;
      co_await tare::sleep_for(5ms);
      const bool grown = co_await share.resize(body + response, 1h);
      EXPECT_TRUE(grown);
      const bool reserve = share.has_reserve();
      process.used += response;
      EXPECT_LE(process.held(), process.budget.limit());
      EXPECT_LE(process.budget.promised(), process.budget.limit());
      with_reserve += reserve ? 1 : 0;
      max_with_reserve = std::max(max_with_reserve, with_reserve);
      co_await tare::sleep_for(5ms);
      with_reserve -= reserve ? 1 : 0;
      process.used -= body + response;
      ended.push_back(number);
    };
    auto all = [&](tare::scope& s) -> task<> {
      for (int i = 0; i < 60; ++i) s.spawn(request(i));
      co_return;
    };
    co_await tare::with_scope(all);
    EXPECT_EQ(ended.size(), 60U);
    EXPECT_EQ(max_with_reserve, 1);
    EXPECT_EQ(process.budget.promised(), 0U);
  });
}

TEST(memory_waiting, the_reserve_stays_with_a_share_until_that_ends) {
  in_virtual_time([]() -> task<> {
    memory_budget budget(1000 * kib + urgent, [] { return std::size_t{0}; });
    budget.keep_reserve(400 * kib);
    memory_share rest = budget.try_admit(600 * kib);
    EXPECT_TRUE(rest);
    EXPECT_FALSE(budget.try_admit(1)) << "what is left is the reserve";
    memory_share first = co_await budget.admit(100 * kib, 1s);
    EXPECT_TRUE(first.has_reserve());
    EXPECT_FALSE(co_await budget.admit(100 * kib, 1s)) << "it is lent to one at a time";
    const bool whole = co_await first.resize(400 * kib, 1s);
    EXPECT_TRUE(whole);
    const bool more = co_await first.resize(401 * kib, 1s);
    EXPECT_FALSE(more) << "there is no more of it";
    first.shrink_to(1);
    EXPECT_FALSE(co_await budget.admit(100 * kib, 1s)) << "it has it still";
    EXPECT_TRUE(first.try_grow_to(400 * kib)) << "nobody else could take it meanwhile";
    first.release();
    memory_share second = co_await budget.admit(400 * kib, 1s);
    EXPECT_TRUE(second.has_reserve());
    memory_share moved = std::move(second);
    EXPECT_TRUE(moved.has_reserve());
    moved.keep_from_reserve();
    EXPECT_FALSE(moved.has_reserve());
    moved.release();
    rest.release();
    EXPECT_EQ(budget.promised(), 0U);
    EXPECT_TRUE(budget.try_admit(600 * kib));
  });
}

TEST(memory_waiting, what_may_last_for_ever_gets_none_of_the_reserve) {
  in_virtual_time([]() -> task<> {
    memory_budget budget(1000 * kib + urgent, [] { return std::size_t{0}; });
    budget.keep_reserve(400 * kib);
    memory_share lasting = budget.try_admit(300 * kib);
    lasting.keep_from_reserve();
    memory_share rest = budget.try_admit(300 * kib);
    const bool grown = co_await lasting.resize(301 * kib, 1s);
    EXPECT_FALSE(grown);
    rest.release();
    const bool now = co_await lasting.resize(301 * kib, 1s);
    EXPECT_TRUE(now) << "there is other room";
  });
}

/// Cancelled after each millisecond of its life in turn: first in the queue, behind another, with the reserve, done.
TEST(memory_waiting, whoever_is_cancelled_in_whatever_state_loses_nothing) {
  for (int cancelled_at = 0; cancelled_at < 40; ++cancelled_at) {
    in_virtual_time([&]() -> task<> {
      memory_budget budget(1000 * kib + urgent, [] { return std::size_t{0}; });
      budget.keep_reserve(400 * kib);
      memory_share rest = budget.try_admit(600 * kib);
      auto holds_reserve = [&]() -> task<> {
        memory_share share = co_await budget.admit(100 * kib, 1h);
        co_await tare::sleep_for(10ms);
      };
      auto victim = [&]() -> task<> {
        memory_share share = co_await budget.admit(10 * kib, 1h);  // behind the one above until 10 ms
        co_await tare::sleep_for(5ms);
        (void)co_await share.resize(500 * kib, 10ms);  // has the reserve, and never gets so much
        co_await tare::sleep_for(5ms);
        share.shrink_to(1);
        co_await tare::sleep_for(5ms);
      };
      auto behind = [&]() -> task<> {
        memory_share share = co_await budget.admit(400 * kib, 1h);
        EXPECT_TRUE(share);
      };
      // Outside of `all`, whose frame ends before its tasks do.
      auto limited = [&]() -> task<> {
        (void)co_await tare::timeout(std::chrono::milliseconds(cancelled_at), victim());
      };
      auto all = [&](tare::scope& s) -> task<> {
        s.spawn(holds_reserve());
        s.spawn(limited());
        s.spawn(behind());
        co_return;
      };
      co_await tare::with_scope(all);
      EXPECT_EQ(budget.promised(), 600 * kib) << cancelled_at;
      EXPECT_EQ(budget.waiting(), 0U) << cancelled_at;
      rest.release();
      EXPECT_TRUE(budget.try_admit(600 * kib)) << cancelled_at;
    });
  }
}

/// What the shares of a model add up to, in any order of growing, shrinking, waiting, giving up and ending.
class model {
 public:
  model(std::uint64_t seed, std::size_t limit, std::size_t reserve)
      : process_(limit, 200 * kib), random_(seed), reserve_(reserve) {
    process_.budget.keep_reserve(reserve);
  }

  task<> run() {
    auto all = [this](tare::scope& s) -> task<> {
      for (int i = 0; i < 50; ++i) s.spawn(limited());
      co_return;
    };
    co_await tare::with_scope(all);
    EXPECT_EQ(process_.budget.promised(), 0U);
    EXPECT_EQ(process_.budget.waiting(), 0U);
    EXPECT_EQ(process_.used, 0U);
    EXPECT_EQ(reserves_, 0);
    co_await tare::sleep_for(2ms);
    const std::size_t free = process_.budget.limit() - 200 * kib - reserve_ - urgent;
    memory_share whole = process_.budget.try_admit(free);
    EXPECT_TRUE(whole);
    EXPECT_FALSE(process_.budget.try_admit(1));
    memory_share last = co_await process_.budget.admit(reserve_, 10ms);
    EXPECT_TRUE(last.has_reserve());
  }

 private:
  [[nodiscard]] std::size_t up_to(std::size_t most) { return random_() % (most + 1); }

  /// The process uses what a share has, after it was admitted and until it is given back.
  struct usage {
    explicit usage(model& whole) : of(whole) {}
    usage(const usage&) = delete;
    usage& operator=(const usage&) = delete;
    ~usage() { set(0, false); }
    void set(std::size_t bytes, bool reserve) {
      of.process_.used += bytes - used;
      used = bytes;
      of.reserves_ += (reserve ? 1 : 0) - (has_reserve ? 1 : 0);
      has_reserve = reserve;
      EXPECT_LE(of.process_.held(), of.process_.budget.limit());
      EXPECT_LE(of.reserves_, 1);
    }
    model& of;
    std::size_t used = 0;
    bool has_reserve = false;
  };

  task<> request() {
    usage mine(*this);
    memory_share share;
    bool lasts = false;
    if (up_to(1) == 0) {
      share = process_.budget.try_admit(up_to(20 * kib));
      if (!share) co_return;
    } else {
      share = co_await process_.budget.admit(up_to(20 * kib), std::chrono::milliseconds(up_to(300)));
      if (!share) co_return;
    }
    mine.set(share.bytes(), share.has_reserve());
    for (std::size_t step = up_to(6); step != 0; --step) {
      const std::size_t next = up_to(reserve_ / 2);
      if (next < share.bytes()) {
        mine.set(next, share.has_reserve());
        share.shrink_to(next);
      } else if (up_to(1) == 0) {
        (void)share.try_grow_to(next);
      } else {
        // What lasts waits for others that last, which may wait for it: only time ends that.
        const bool impatient = lasts || up_to(3) == 0;
        (void)co_await share.resize(next, impatient ? std::chrono::milliseconds(up_to(50)) : 1h);
      }
      mine.set(share.bytes(), share.has_reserve());
      if (up_to(10) == 0) {
        share.keep_from_reserve();
        lasts = true;
        mine.set(share.bytes(), share.has_reserve());
      }
      co_await tare::sleep_for(std::chrono::milliseconds(up_to(5)));
    }
    mine.set(0, false);
    share.release();
  }

  task<> limited() {
    co_await tare::sleep_for(std::chrono::milliseconds(up_to(100)));
    const auto time = up_to(3) == 0 ? std::chrono::milliseconds(up_to(60)) : std::chrono::hours(2);
    (void)co_await tare::timeout(time, request());
  }

  simulated process_;
  std::mt19937_64 random_;
  std::size_t reserve_;
  int reserves_ = 0;
};

TEST(memory_waiting, agrees_with_a_model_whatever_is_asked_in_whatever_order) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    in_virtual_time([&]() -> task<> {
      const std::size_t reserve = (100 + seed % 5 * 50) * kib;
      model checked(seed, 200 * kib + 2 * (reserve + urgent) + seed % 7 * 100 * kib, reserve);
      co_await checked.run();
    });
    if (HasFailure()) return;
  }
}

}  // namespace
