// A scope after a join is as good as new, however the previous round ended.

#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <stdexcept>
#include <thread>
#include <tuple>

namespace {

using namespace std::chrono_literals;
using tare::task;

enum class round_end : std::uint8_t {
  well,
  error,
  error_at_once,
  cancelled,
  failed,
  cancelled_and_failed,
  empty_cancel
};

constexpr auto all_ends = {round_end::well,        round_end::error,  round_end::error_at_once,
                           round_end::cancelled,   round_end::failed, round_end::cancelled_and_failed,
                           round_end::empty_cancel};

bool has_error(round_end how) {
  return how != round_end::well && how != round_end::cancelled && how != round_end::empty_cancel;
}

task<> works(int& ran) {
  co_await tare::yield();
  ++ran;
}

task<> ends_at_once() { co_return; }

task<> fails(bool at_once) {
  if (!at_once) co_await tare::sleep_for(1ms);
  throw std::runtime_error("the round's");
}

void play(tare::scope& s, round_end how, int& ran) {
  const auto error = std::make_exception_ptr(std::runtime_error("the round's"));
  if (how == round_end::empty_cancel) {
    s.cancel();
    return;
  }
  for (int i = 0; i < 20; ++i) s.spawn(works(ran));
  if (how == round_end::error || how == round_end::error_at_once) s.spawn(fails(how == round_end::error_at_once));
  if (how == round_end::cancelled || how == round_end::cancelled_and_failed) s.cancel();
  if (how == round_end::failed || how == round_end::cancelled_and_failed) s.fail(error);
}

class scope_reuse : public testing::TestWithParam<std::tuple<round_end, round_end, tare::on_error>> {};

TEST_P(scope_reuse, runs_what_is_spawned_after_any_two_rounds) {
  const auto [first, second, policy] = GetParam();
  int ran_last = 0;
  auto body = [&]() -> task<> {
    tare::scope s(policy);
    for (const round_end how : {first, second}) {
      int ran = 0;
      play(s, how, ran);
      bool thrown = false;
      try {
        co_await s.join();
      } catch (const tare::cancelled&) {
        ADD_FAILURE();
      } catch (const std::exception&) {
        thrown = true;
      }
      EXPECT_EQ(thrown, has_error(how));
      EXPECT_EQ(s.size(), 0U);
      if (how == round_end::well) {
        EXPECT_EQ(ran, 20);
      }
    }
    for (int i = 0; i < 10; ++i) s.spawn(works(ran_last));
    co_await s.join();
    co_await s.join();  // nothing to join
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
  EXPECT_EQ(ran_last, 10);
}

INSTANTIATE_TEST_SUITE_P(ends, scope_reuse,
                         testing::Combine(testing::ValuesIn(all_ends), testing::ValuesIn(all_ends),
                                          testing::Values(tare::on_error::cancel_siblings, tare::on_error::collect)));

TEST(scope_reuse_cancelled, a_join_given_up_by_cancellation_leaves_the_next_round_to_be_cancelled_too) {
  int ran = 0;
  int joins_cancelled = 0;
  auto worker = [&]() -> task<> {
    tare::scope s;
    for (int round = 0; round < 2; ++round) {
      s.spawn([](int& count) -> task<> {
        co_await tare::sleep_for(1h);
        ++count;
      }(ran));
      try {
        co_await s.join();
      } catch (const tare::cancelled&) {
        ++joins_cancelled;
      }
    }
    // A shielded join waits for what a new round does.
    co_await tare::shield([](int& count) -> task<> {
      tare::scope inner;
      inner.spawn(works(count));
      co_await inner.join();
    }(ran));
  };
  tare::test::run_then_cancel_in_virtual_time(worker());
  EXPECT_EQ(joins_cancelled, 2);
  EXPECT_EQ(ran, 1);
}

TEST(scope_join, a_second_joiner_is_refused_and_the_first_gets_the_result) {
  for (const bool with_error : {false, true}) {
    int refused = 0;
    int joined = 0;
    int thrown = 0;
    auto body = [&]() -> task<> {
      tare::scope s;
      s.spawn([](bool throws) -> task<> {
        co_await tare::sleep_for(10ms);
        if (throws) throw std::runtime_error("the scope's");
      }(with_error));
      auto joins = [&]() -> task<> {
        try {
          co_await s.join();
          ++joined;
        } catch (const std::logic_error&) {
          ++refused;
        } catch (const std::runtime_error&) {
          ++thrown;
        }
      };
      co_await tare::with_scope([&](tare::scope& joiners) -> task<> {
        for (int i = 0; i < 3; ++i) joiners.spawn(joins());
        co_return;
      });
      // The scope is no longer being joined, so it may be joined again.
      s.spawn(ends_at_once());
      co_await s.join();
    };
    tare::runtime rt({.clock = tare::clock_kind::virtual_time});
    rt.run(body());
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(joined, with_error ? 0 : 1);
    EXPECT_EQ(thrown, with_error ? 1 : 0);
  }
}

TEST(scope_cancel, reaches_all_tasks_although_an_interrupt_spawns_into_the_scope) {
  // The chunks of a scope hold 8 and then 120 tasks. Each has a free slot, and the interrupt function takes one in the
  // chunk that is being traversed.
  constexpr int sleepers = 7 + 119 + 118;
  int cancelled = 0;
  int late = 0;
  std::atomic<bool> under_way = false;
  std::atomic<bool> interrupted = false;
  auto sleeps = [&]() -> task<> {
    try {
      co_await tare::sleep_for(2s);
    } catch (const tare::cancelled&) {
      ++cancelled;
    }
  };
  auto spawned_late = [&]() -> task<> {
    ++late;
    co_return;
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    auto blocks = [&]() -> task<> {
      co_await tare::offload(
          [&] {
            under_way = true;
            while (!interrupted) std::this_thread::yield();
          },
          [&]() noexcept {
            for (int i = 0; i < 130; ++i) s.spawn(spawned_late());
            interrupted = true;
          });
    };
    for (const int in_chunk : {7, 119, 118}) {
      s.spawn(ends_at_once());
      for (int i = 0; i < in_chunk; ++i) s.spawn(sleeps());
      if (in_chunk == 118) s.spawn(blocks());
    }
    while (!under_way) co_await tare::yield();
    s.cancel();
    co_await s.join();
  };
  tare::run(body());
  EXPECT_EQ(cancelled, sleepers);
  EXPECT_EQ(late, 0) << "it must be cancelled from the start";
}

}  // namespace
