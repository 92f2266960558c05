// A join that throws something other than the cancellation that ended it: whatever the next await is, it is unaffected
// and keeps what it gets.

#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<> fails_when_cancelled() {
  bool ended = false;
  try {
    co_await tare::sleep_for(1h);
  } catch (const tare::cancelled&) {
    ended = true;
  }
  if (ended) throw std::runtime_error("flush failed");
}

/// What is awaited right after the join; all of it can complete immediately.
struct next_await {
  tare::mutex lock;
  tare::semaphore permits{3};
  tare::channel<int> full{2};
  tare::channel<int> empty{2};
  tare::event set{true};
  tare::latch open{0};
  tare::oneshot<int> sent;

  next_await() {
    int value = 1;
    EXPECT_TRUE(full.try_send(value));
    EXPECT_TRUE(sent.send(1));
  }
};

struct await_case {
  std::string name;
  std::function<task<>(next_await&)> await;
  std::function<void(next_await&)> check;  ///< checks that nothing is lost
};

std::vector<await_case> await_cases() {
  return {
      {"lock", [](next_await& of) -> task<> { const auto guard = co_await of.lock.lock(); },
       [](next_await& of) { EXPECT_TRUE(of.lock.try_lock()); }},
      {"acquire", [](next_await& of) -> task<> { const auto two = co_await of.permits.acquire(2); },
       [](next_await& of) { EXPECT_EQ(of.permits.available(), 3U); }},
      {"receive",
       [](next_await& of) -> task<> {
         int value = (co_await of.full.receive()).value();
         EXPECT_TRUE(of.empty.try_send(value));
       },
       [](next_await& of) { EXPECT_EQ(of.full.size() + of.empty.size(), 1U); }},
      {"send", [](next_await& of) -> task<> { EXPECT_TRUE((co_await of.empty.send(1)).has_value()); },
       [](next_await& of) { EXPECT_EQ(of.empty.size(), 1U); }},
      {"event", [](next_await& of) -> task<> { co_await of.set.wait(); }, [](next_await&) {}},
      {"latch", [](next_await& of) -> task<> { co_await of.open.wait(); }, [](next_await&) {}},
      {"oneshot", [](next_await& of) -> task<> { EXPECT_EQ((co_await of.sent.receive()).value(), 1); },
       [](next_await&) {}},
      {"resume_on", [](next_await&) -> task<> { co_await tare::resume_on(0); }, [](next_await&) {}},
      {"sleep", [](next_await&) -> task<> { co_await tare::sleep_for(0ms); }, [](next_await&) {}},
      {"yield", [](next_await&) -> task<> { co_await tare::yield(); }, [](next_await&) {}},
  };
}

enum class thrower : std::uint8_t { task, body, fail };

class join_cancelled_test : public testing::TestWithParam<std::tuple<thrower, tare::on_error>> {
 protected:
  task<> join_that_throws() {
    const auto [by, policy] = GetParam();
    co_await tare::with_scope(
        [by = by](tare::scope& s) -> task<> {
          if (by == thrower::task) s.spawn(fails_when_cancelled());
          if (by == thrower::fail) s.spawn(fails_by_scope(s));
          if (by == thrower::body) co_await fails_when_cancelled();
        },
        policy);
  }

 private:
  static task<> fails_by_scope(tare::scope& of) {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      of.fail(std::make_exception_ptr(std::runtime_error("flush failed")));
    }
  }
};

TEST_P(join_cancelled_test, leaves_the_next_await_alone) {
  for (const await_case& next : await_cases()) {
    SCOPED_TRACE(next.name);
    next_await at;
    bool thrown = false;
    bool cancelled = false;
    auto worker = [&]() -> task<> {
      try {
        co_await join_that_throws();
      } catch (const tare::cancelled&) {
        ADD_FAILURE() << "the scope's error takes precedence";
      } catch (const std::exception&) {
        thrown = true;
      }
      // Inside a shield nothing is cancelled, whether or not it waits.
      try {
        co_await tare::shield(next.await(at));
      } catch (const tare::cancelled&) {
        cancelled = true;
      }
    };
    tare::test::run_then_cancel_in_virtual_time(worker());
    EXPECT_TRUE(thrown);
    EXPECT_FALSE(cancelled);
    next.check(at);
  }
}

TEST_P(join_cancelled_test, leaves_the_task_cancelled) {
  bool cancelled = false;
  auto worker = [&]() -> task<> {
    try {
      co_await join_that_throws();
      // NOLINTNEXTLINE(bugprone-empty-catch): another test looks at it
    } catch (const std::exception&) {
    }
    try {
      co_await tare::sleep_for(1ms);
    } catch (const tare::cancelled&) {
      cancelled = true;
    }
  };
  tare::test::run_then_cancel_in_virtual_time(worker());
  EXPECT_TRUE(cancelled);
}

TEST_P(join_cancelled_test, leaves_other_tasks_of_the_shard_alone) {
  // They run in the turns after it; their awaits complete immediately.
  tare::mutex m;
  int locked = 0;
  auto worker = [&]() -> task<> {
    try {
      co_await join_that_throws();
      // NOLINTNEXTLINE(bugprone-empty-catch): another test looks at it
    } catch (const std::exception&) {
    }
  };
  auto neighbour = [&]() -> task<> {
    for (int i = 0; i < 4; ++i) {
      const auto guard = co_await m.lock();
      ++locked;
      co_await tare::sleep_for(1ms);
    }
  };
  auto body = [&]() -> task<> {
    tare::spawn(neighbour());
    co_await tare::test::run_then_cancel(worker());
    co_await tare::sleep_for(10ms);
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
  EXPECT_EQ(locked, 4);
}

INSTANTIATE_TEST_SUITE_P(errors, join_cancelled_test,
                         testing::Combine(testing::Values(thrower::task, thrower::body, thrower::fail),
                                          testing::Values(tare::on_error::cancel_siblings, tare::on_error::collect)));

}  // namespace
