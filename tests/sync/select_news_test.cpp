// Selects over notify, broadcast, watch, halves of channels, guarded values and closed semaphores.

#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace {

using namespace std::chrono_literals;
using tare::task;

class select_news_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

/// Ways to complete each of the requests.
struct primitives {
  tare::notify more;
  tare::broadcast<int> news{4};
  tare::broadcast<int>::receiver mine{news.subscribe()};
  tare::watch<int> state{0};
  tare::watch<int>::receiver seen{state.subscribe()};
  tare::channel_halves<int> halves{tare::make_channel<int>(1)};
  tare::guarded<int> number{5};
  tare::guarded<int>::guard held{number.try_lock()};
  static constexpr std::size_t count = 5;

  [[nodiscard]] auto all() {
    return tare::select_in_order(more.wait(), mine.receive(), seen.changed(), halves.receiver.receive(), number.lock(),
                                 tare::sleep_for(1h));
  }
  void complete(std::size_t which) {
    int value = 7;
    bool sent = true;
    if (which == 0) more.notify_one();
    if (which == 1) sent = news.try_send(value);
    if (which == 2) state.set(7);
    if (which == 3) sent = halves.sender.try_send(value);
    if (which == 4) held.release();
    EXPECT_TRUE(sent);
  }
  /// True if the effect of `complete(which)` is still there; takes it.
  task<bool> is_left(std::size_t which) {
    auto at_once = [](auto request) -> task<bool> {
      const auto got = co_await tare::select_in_order(std::move(request), tare::sleep_for(0s));
      co_return got.index() == 0;
    };
    if (which == 0) co_return co_await at_once(more.wait());
    if (which == 1) co_return mine.try_receive().has_value();
    if (which == 2) co_return co_await at_once(seen.changed());
    if (which == 3) co_return halves.receiver.try_receive().has_value();
    co_return static_cast<bool>(number.try_lock());
  }
};

TEST_F(select_news_test, takes_what_is_ready_and_leaves_the_rest) {
  for (unsigned ready = 0; ready < 1U << primitives::count; ++ready) {
    auto body = [&]() -> task<> {
      primitives p;
      std::size_t expected = 5;  // the time
      for (std::size_t i = primitives::count; i-- > 0;) {
        if ((ready >> i & 1U) == 0) continue;
        p.complete(i);
        expected = i;
      }
      const auto got = co_await p.all();
      EXPECT_EQ(got.index(), expected) << ready;
      for (std::size_t i = 0; i < primitives::count; ++i) {
        if (i == 4 && expected == 4) continue;  // `got` has the lock
        const bool left = co_await p.is_left(i);
        EXPECT_EQ(left, i != expected && (ready >> i & 1U) != 0) << ready << ' ' << i;
      }
    };
    rt_.run(body());
  }
}

TEST_F(select_news_test, is_completed_later_by_each_and_by_the_first_of_two) {
  for (std::size_t first = 0; first < primitives::count; ++first) {
    for (std::size_t second = 0; second < primitives::count; ++second) {
      auto body = [&]() -> task<> {
        primitives p;
        auto complete = [&]() -> task<> {
          co_await tare::sleep_for(1s);
          p.complete(first);
          if (second != first) p.complete(second);  // before the task has resumed: its node is still in the queue
        };
        tare::spawn(complete());
        {
          const auto got = co_await p.all();
          EXPECT_EQ(got.index(), first);
        }
        if (second != first) {
          const bool left = co_await p.is_left(second);
          EXPECT_TRUE(left) << first << ' ' << second;
        }
        const auto again = co_await p.all();  // and no node is left behind, nor a receiver that seems to wait
        EXPECT_EQ(again.index(), first == 4 || second == 4 ? 4U : 5U) << first << ' ' << second;
      };
      rt_.run(body());
    }
  }
}

TEST_F(select_news_test, a_cancelled_select_has_taken_nothing) {
  for (std::size_t which = 0; which < primitives::count; ++which) {
    for (const bool completed : {false, true}) {
      auto body = [&]() -> task<> {
        primitives p;
        std::optional<std::size_t> chosen;
        tare::scope s;
        auto selects = [&]() -> task<> {
          const auto got = co_await p.all();
          chosen = got.index();
        };
        s.spawn(selects());
        co_await tare::yield();
        if (completed) p.complete(which);  // what comes before the cancellation is delivered
        s.cancel();
        if (!completed) p.complete(which);
        co_await s.join();
        EXPECT_EQ(chosen.has_value(), completed) << which;
        const bool left = co_await p.is_left(which);
        EXPECT_EQ(left, !completed || which == 4) << which;
      };
      rt_.run(body());
    }
  }
}

TEST_F(select_news_test, a_closed_semaphore_comes_in_its_place) {
  auto body = []() -> task<> {
    tare::semaphore free(1);
    tare::channel<int> values(1);
    free.close();
    int value = 1;
    EXPECT_TRUE(values.try_send(value));
    {
      const auto got = co_await tare::select_in_order(free.acquire(), values.receive());
      EXPECT_EQ(got.index(), 0U);
      EXPECT_FALSE(std::get<0>(got));
    }
    tare::semaphore other(0);
    tare::scope s;
    bool refused = false;
    auto selects = [](tare::semaphore& from, bool& to) -> task<> {
      tare::event never;
      const auto got = co_await tare::select(from.acquire(), never.wait());
      to = got.index() == 0 && !std::get<0>(got);
    };
    s.spawn(selects(other, refused));
    co_await tare::yield();
    other.close();
    co_await s.join();
    EXPECT_TRUE(refused);
  };
  rt_.run(body());
}

TEST_F(select_news_test, a_send_of_a_half_that_is_not_chosen_gives_the_value_back) {
  auto body = []() -> task<> {
    const auto halves = tare::make_channel<std::string>(0);
    tare::event stop;
    stop.set();
    auto put = halves.sender.send("a value that is too long for the small buffer");
    const auto got = co_await tare::select(put, stop.wait());
    EXPECT_EQ(got.index(), 1U);
    EXPECT_EQ(put.value, "a value that is too long for the small buffer");
  };
  rt_.run(body());
}

TEST_F(select_news_test, closing_ends_selects_and_plain_waits_together) {
  auto body = []() -> task<> {
    tare::broadcast<int> news(1);
    tare::watch<int> state(0);
    std::array<int, 4> ended{};
    tare::scope s;
    auto selects = [](tare::broadcast<int>& from, tare::watch<int>& of, std::array<int, 4>& to) -> task<> {
      auto mine = from.subscribe();
      auto seen = of.subscribe();
      const auto got = co_await tare::select(mine.receive(), seen.changed());
      ++to.at(got.index());
    };
    auto receives = [](tare::broadcast<int>::receiver mine, int& to) -> task<> {
      const auto got = co_await mine.receive();
      if (!got) ++to;
    };
    auto watches = [](tare::watch<int>::receiver seen, int& to) -> task<> {
      const auto got = co_await seen.changed();
      if (!got) ++to;
    };
    for (int i = 0; i < 3; ++i) {
      s.spawn(selects(news, state, ended));
      s.spawn(receives(news.subscribe(), ended[2]));
      s.spawn(watches(state.subscribe(), ended[3]));
    }
    co_await support::drain();
    news.close();
    co_await support::drain();
    state.close();
    co_await s.join();
    EXPECT_EQ(ended, (std::array<int, 4>{3, 0, 3, 3}));
  };
  rt_.run(body());
}

}  // namespace
