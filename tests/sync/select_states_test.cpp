// Every primitive that can be selected, in every state: ready, completed later, first or second, cancelled.

#include "sched/run_then_cancel.hpp"

#include <tare/select.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class select_states_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

/// Every primitive that can be selected, and ways to complete a wait for each.
struct primitives {
  tare::channel<std::unique_ptr<int>> from{1};
  tare::channel<int> into{0};
  tare::semaphore permits{0};
  tare::event event;
  tare::oneshot<int> oneshot;
  tare::oneshot_halves<int> halves = tare::make_oneshot<int>();
  static constexpr std::size_t count = 6;

  [[nodiscard]] auto all() {
    return tare::select_in_order(from.receive(), into.send(5), permits.acquire(), event.wait(), oneshot.receive(),
                                 halves.receiver.receive(), tare::sleep_for(1h));
  }
  void complete(std::size_t which) {
    if (which == 0) {
      auto value = std::make_unique<int>(7);
      ASSERT_TRUE(from.try_send(value));
    }
    if (which == 1) {
      sent = into.try_receive();
    }
    if (which == 2) permits.release();
    if (which == 3) event.set();
    if (which == 4) oneshot.send(1);
    if (which == 5) halves.sender.send(1);
  }
  /// True if the effect of `complete(which)` is still there to be taken.
  [[nodiscard]] bool is_left(std::size_t which) {
    switch (which) {
      case 0:
        return from.try_receive().has_value();
      case 1:
        return !std::exchange(sent, std::nullopt).has_value();
      case 2:
        return static_cast<bool>(permits.try_acquire());
      case 3:
        return event.is_set();
      case 5:
        return halves.receiver.try_receive().has_value();
      default:
        return true;
    }
  }
  std::optional<int> sent;
};

TEST_F(select_states_test, takes_what_is_ready_and_leaves_the_rest) {
  for (unsigned ready = 0; ready < 1U << primitives::count; ++ready) {
    if ((ready & 2U) != 0) continue;  // a send is ready only while a receiver waits
    auto body = [&]() -> task<> {
      primitives p;
      std::size_t expected = 6;  // the time
      for (std::size_t i = primitives::count; i-- > 0;) {
        if ((ready >> i & 1U) == 0) continue;
        p.complete(i);
        expected = i;
      }
      {
        auto got = co_await p.all();
        EXPECT_EQ(got.index(), expected) << ready;
        if (expected == 0) {
          EXPECT_EQ(**std::get<0>(got), 7);
        }
        for (const std::size_t i : {0U, 2U, 3U, 5U}) {
          if (i == expected || (ready >> i & 1U) == 0) continue;
          const bool left = p.is_left(i);
          EXPECT_TRUE(left) << ready << ' ' << i;
        }
      }
      EXPECT_FALSE(p.into.try_receive()) << "the sender is still in the queue";
    };
    rt_.run(body());
  }
}

TEST_F(select_states_test, is_completed_later_by_each_and_by_the_first_of_two) {
  for (std::size_t first = 0; first < primitives::count; ++first) {
    for (std::size_t second = 0; second < primitives::count; ++second) {
      auto body = [&]() -> task<> {
        primitives p;
        auto complete = [&]() -> task<> {
          co_await tare::sleep_for(1s);
          p.complete(first);
          if (second != first) p.complete(second);  // before the task has resumed: its node is still there
        };
        tare::spawn(complete());
        auto got = co_await p.all();
        EXPECT_EQ(got.index(), first);
        if (first == 1) {
          EXPECT_EQ(p.sent, 5);
        }
        if (second != first) {
          const bool left = p.is_left(second);
          EXPECT_TRUE(left) << first << ' ' << second;
        }
        // Nothing of the select is left in any queue.
        for (std::size_t i = 0; i < primitives::count; ++i) p.complete(i);
        EXPECT_FALSE(p.sent) << first << ' ' << second;
      };
      rt_.run(body());
    }
  }
}

TEST_F(select_states_test, cancelled_before_or_while_waiting_it_has_taken_nothing) {
  for (std::size_t later = 0; later < primitives::count; ++later) {
    primitives p;
    bool thrown = false;
    auto worker = [&]() -> task<> {
      try {
        (void)co_await p.all();
      } catch (const tare::cancelled&) {
        thrown = true;
        throw;
      }
    };
    auto body = [&]() -> task<> {
      tare::scope s;
      s.spawn(worker());
      co_await tare::sleep_for(1s);
      s.cancel();
      p.complete(later);  // the task is queued, but has not resumed
      co_await s.join();
    };
    rt_.run(body());
    EXPECT_TRUE(thrown);
    EXPECT_TRUE(p.is_left(later)) << later;
  }
}

TEST_F(select_states_test, what_was_completed_before_the_cancellation_is_delivered) {
  for (std::size_t before = 0; before < primitives::count; ++before) {
    primitives p;
    std::optional<std::size_t> got;
    auto worker = [&]() -> task<> {
      auto chosen = co_await p.all();
      got = chosen.index();
    };
    auto body = [&]() -> task<> {
      tare::scope s;
      s.spawn(worker());
      co_await tare::sleep_for(1s);
      p.complete(before);
      s.cancel();
      co_await s.join();
    };
    rt_.run(body());
    EXPECT_EQ(got, before);
  }
}

}  // namespace
