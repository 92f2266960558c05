// Selects that send to a broadcast whose senders wait for slow receivers.

#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class select_broadcast_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

/// Sends 2, or stops.
task<> send_or_stop(tare::broadcast<int>& into, tare::event& stop, char& outcome) {
  try {
    const auto got = co_await tare::select_in_order(into.send(2), stop.wait());
    outcome = got.index() == 1 ? 's' : std::get<0>(got) ? '2' : 'x';
  } catch (const tare::cancelled&) {
    outcome = 'c';
    throw;
  }
}

/// Sends 3 behind it.
task<> send_plainly(tare::broadcast<int>& into, char& outcome) {
  const auto sent = co_await into.send(3);
  outcome = sent ? '3' : 'x';
}

/// A broadcast for one value, which is full.
struct model {
  std::string in_ring = "1";
  std::string received;
  char selects = '-';
  char sends = '-';
  bool closed = false;

  void step(char what) {
    if (what == 't' && !in_ring.empty()) {
      received += in_ring;
      in_ring.clear();
      if (!closed && selects == '-') {
        in_ring += selects = '2';
      } else if (!closed && sends == '-') {
        in_ring += sends = '3';
      }
    }
    if (what == 'x') closed = true;
    if (what == 'x' && sends == '-') sends = 'x';
    if ((what == 's' || what == 'c' || what == 'x') && selects == '-') selects = what;
  }
};

TEST_F(select_broadcast_test, is_as_a_model_says_after_every_order_of_what_can_happen) {
  // t: the receiver takes a value. s: the other arm is completed. c: the select is cancelled. x: the broadcast closes.
  support::for_each_order("tscx", 4, [&](const std::string& order) {
    for (const bool resumes_between : {false, true}) {
      auto body = [&]() -> task<> {
        tare::broadcast<int> news(1, tare::slow_receivers::wait);
        auto mine = news.subscribe();
        tare::event stop;
        model expected;
        std::string received;
        std::array<char, 2> outcomes{'-', '-'};
        int first = 1;
        EXPECT_TRUE(news.try_send(first));
        tare::scope selecting;
        tare::scope sending;
        selecting.spawn(send_or_stop(news, stop, outcomes[0]));
        co_await support::drain();
        sending.spawn(send_plainly(news, outcomes[1]));
        co_await support::drain();
        for (const char what : order) {
          expected.step(what);
          if (what == 't') {
            if (const auto got = mine.try_receive()) received += std::to_string(**got);
          }
          if (what == 's') stop.set();
          if (what == 'c') selecting.cancel();
          if (what == 'x') news.close();
          if (resumes_between) co_await support::drain();
        }
        co_await support::drain();
        EXPECT_EQ(outcomes[0], expected.selects) << order << resumes_between;
        EXPECT_EQ(outcomes[1], expected.sends) << order << resumes_between;
        EXPECT_EQ(received, expected.received) << order << resumes_between;
        EXPECT_EQ(news.size(), expected.in_ring.size()) << order << resumes_between;
        selecting.cancel();
        sending.cancel();
        co_await selecting.join();
        co_await sending.join();
      };
      rt_.run(body());
    }
  });
}

TEST_F(select_broadcast_test, wakes_all_who_wait_for_the_value) {
  for (const auto policy : {tare::slow_receivers::skip, tare::slow_receivers::wait}) {
    auto body = [&]() -> task<> {
      tare::broadcast<int> news(1, policy);
      tare::event never;
      int plain = 0;
      int chosen = 0;
      auto receives = [](tare::broadcast<int>& from, int& sum) -> task<> {
        auto mine = from.subscribe();
        const auto got = co_await mine.receive();
        sum += **got;
      };
      auto selects = [&never](tare::broadcast<int>& from, int& sum) -> task<> {
        auto mine = from.subscribe();
        const auto got = co_await tare::select(never.wait(), mine.receive());
        sum += **std::get<1>(got);
      };
      tare::scope s;
      for (int i = 0; i < 5; ++i) {
        s.spawn(receives(news, plain));
        s.spawn(selects(news, chosen));
      }
      co_await support::drain();
      const auto sent = co_await tare::select(never.wait(), news.send(7));
      EXPECT_EQ(sent.index(), 1U);
      EXPECT_EQ(std::get<1>(sent), 10U) << "the number of receivers";
      co_await s.join();
      EXPECT_EQ(plain, 35);
      EXPECT_EQ(chosen, 35);
    };
    rt_.run(body());
  }
}

TEST_F(select_broadcast_test, sends_at_once_without_receivers_and_not_at_all_once_closed) {
  auto body = []() -> task<> {
    tare::broadcast<int> news(1, tare::slow_receivers::wait);
    for (int i = 0; i < 3; ++i) {
      const auto sent = co_await tare::select_in_order(news.send(i), tare::sleep_for(1h));
      EXPECT_EQ(sent.index(), 0U);
      EXPECT_EQ(std::get<0>(sent), 0U);
    }
    news.close();
    const auto sent = co_await tare::select_in_order(news.send(1), tare::sleep_for(1h));
    EXPECT_EQ(sent.index(), 0U);
    EXPECT_FALSE(std::get<0>(sent));
  };
  rt_.run(body());
}

TEST_F(select_broadcast_test, gives_back_what_it_has_not_sent_and_frees_what_it_has) {
  auto body = []() -> task<> {
    using text = std::shared_ptr<int>;
    tare::broadcast<text> news(1, tare::slow_receivers::wait);
    auto mine = news.subscribe();
    text first = std::make_shared<int>(1);
    EXPECT_TRUE(news.try_send(first));
    const text second = std::make_shared<int>(2);
    auto put = news.send(second);
    const auto late = co_await tare::select(put, tare::sleep_for(1s));
    EXPECT_EQ(late.index(), 1U);
    EXPECT_TRUE(put.value);
    EXPECT_EQ(*put.value, second);
    EXPECT_TRUE(mine.try_receive());
    const auto sent = co_await tare::select_in_order(put, tare::sleep_for(1s));
    EXPECT_EQ(sent.index(), 0U);
    EXPECT_FALSE(put.value);
    EXPECT_EQ(second.use_count(), 2);
    EXPECT_EQ(**mine.try_receive(), second);
    EXPECT_EQ(second.use_count(), 1);
  };
  rt_.run(body());
}

TEST_F(select_broadcast_test, sends_and_receives_at_the_same_broadcast) {
  auto body = []() -> task<> {
    tare::broadcast<int> news(1, tare::slow_receivers::wait);
    auto slow = news.subscribe();
    auto mine = news.subscribe();
    int first = 1;
    EXPECT_TRUE(news.try_send(first));
    EXPECT_EQ(**mine.try_receive(), 1);
    // Nothing new for `mine`, and no room because of `slow`: it waits for both, and the send comes first.
    std::size_t chosen = 9;
    auto both = [&]() -> task<> {
      const auto got = co_await tare::select_in_order(mine.receive(), news.send(2));
      chosen = got.index();
    };
    tare::scope s;
    s.spawn(both());
    co_await support::drain();
    EXPECT_EQ(chosen, 9U);
    EXPECT_EQ(**slow.try_receive(), 1);
    co_await s.join();
    EXPECT_EQ(chosen, 1U);
    EXPECT_EQ(**mine.try_receive(), 2);
    EXPECT_EQ(**slow.try_receive(), 2);
  };
  rt_.run(body());
}

TEST(select_broadcast, loses_and_doubles_nothing_between_two_shards) {
  constexpr std::uint32_t each = 2'000;
  tare::runtime rt({.shards = 2});
  std::array<std::uint64_t, 2> sent{};
  std::uint64_t received = 0;
  std::uint64_t stopped = 0;
  auto all = [&]() -> task<> {
    tare::broadcast<std::uint64_t> news(2, tare::slow_receivers::wait);
    auto mine = news.subscribe();
    tare::channel<int> others(0);
    auto sends = [&](std::size_t who) -> task<> {
      for (std::uint64_t i = 1; i <= each; ++i) {
        const auto got = co_await tare::select(news.send(i), others.receive(), tare::sleep_for(1us));
        if (got.index() == 0) sent.at(who) += i;
        if (got.index() != 0) ++stopped;
        if (i % 64 == 0) co_await tare::yield();
      }
    };
    auto first = [&]() -> task<> { co_await sends(0); };
    auto receives = [&]() -> task<> {
      while (auto got = co_await mine.receive()) {
        received += **got;
        int value = 1;
        (void)others.try_send(value);
      }
    };
    tare::scope receiving;
    receiving.spawn_on(1, receives());
    {
      tare::scope sending;
      sending.spawn(first());
      co_await sending.join();
    }
    news.close();
    co_await receiving.join();
  };
  rt.run(all());
  EXPECT_EQ(received, sent[0]);
  EXPECT_GT(sent[0], 0U);
}

}  // namespace
