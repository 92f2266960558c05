#include <tare/select.hpp>

#include "sched/run_then_cancel.hpp"

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

class select_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(select_test, a_cancelled_task_takes_what_is_ready_and_waits_for_nothing) {
  tare::channel<int> numbers(1);
  int value = 3;
  ASSERT_TRUE(numbers.try_send(value));
  bool took = false;
  bool refused = false;
  auto worker = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    auto got = co_await tare::select(numbers.receive(), tare::sleep_for(1h));
    took = got.index() == 0 && std::get<0>(got) == 3;
    try {
      (void)co_await tare::select(numbers.receive(), tare::sleep_for(1h));
    } catch (const tare::cancelled&) {
      refused = true;
      throw;
    }
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_TRUE(took);
  EXPECT_TRUE(refused);
}

TEST_F(select_test, sleep_for_zero_polls) {
  auto body = [&]() -> task<> {
    tare::channel<int> numbers(1);
    tare::mutex m;
    auto locked = m.try_lock();
    auto none = co_await tare::select(tare::sleep_for(0s), numbers.receive(), m.lock());
    EXPECT_EQ(none.index(), 0U);
    locked.release();
    auto lock = co_await tare::select(tare::sleep_for(0s), numbers.receive(), m.lock());
    EXPECT_EQ(lock.index(), 2U);
    EXPECT_FALSE(m.try_lock());
    std::get<2>(lock).release();
    EXPECT_TRUE(m.try_lock());
  };
  rt_.run(body());
}

TEST_F(select_test, the_times_count) {
  auto body = [&]() -> task<> {
    const auto start = tare::now();
    auto got = co_await tare::select(tare::sleep_for(3s), tare::sleep_until(start + 2s), tare::sleep_for(4s));
    EXPECT_EQ(got.index(), 1U);
    EXPECT_EQ(tare::now() - start, 2s);
    co_await tare::sleep_for(1h);  // nothing rings
    auto past = co_await tare::select(tare::sleep_until(start), tare::sleep_for(1s));
    EXPECT_EQ(past.index(), 0U);
  };
  rt_.run(body());
}

TEST_F(select_test, is_fair_by_default_and_ordered_on_request) {
  auto body = [&]() -> task<> {
    tare::channel<int> a(1000);
    tare::channel<int> b(1000);
    for (int i = 0; i < 1000; ++i) {
      int value = i;
      EXPECT_TRUE(a.try_send(value));
      value = i;
      EXPECT_TRUE(b.try_send(value));
    }
    std::array<int, 2> counts{};
    for (int i = 0; i < 400; ++i) {
      auto got = co_await tare::select(a.receive(), b.receive());
      ++counts.at(got.index());
    }
    EXPECT_GT(counts[0], 100);
    EXPECT_GT(counts[1], 100);
    for (int i = 0; i < 400; ++i) {
      auto got = co_await tare::select_in_order(b.receive(), a.receive());
      EXPECT_EQ(got.index(), 0U);
    }
  };
  rt_.run(body());
}

TEST_F(select_test, a_send_that_was_not_chosen_gives_its_value_back) {
  auto body = [&]() -> task<> {
    tare::channel<std::unique_ptr<int>> full(0);
    tare::event stop;
    stop.set();
    auto put = full.send(std::make_unique<int>(5));
    auto stopped = co_await tare::select(put, stop.wait());
    EXPECT_EQ(stopped.index(), 1U);
    EXPECT_TRUE(put.value && *put.value == 5);
    stop.reset();
    auto late = co_await tare::select(put, tare::sleep_for(1s));
    EXPECT_EQ(late.index(), 1U);
    EXPECT_TRUE(put.value && *put.value == 5);
    auto take = [&]() -> task<> {
      const auto got = co_await full.receive();
      EXPECT_EQ(**got, 5);
    };
    tare::spawn(take());
    auto sent = co_await tare::select(put, tare::sleep_for(1s));
    EXPECT_EQ(sent.index(), 0U);
    EXPECT_FALSE(put.value);
  };
  rt_.run(body());
}

TEST_F(select_test, closing_completes_it) {
  auto body = [&]() -> task<> {
    tare::channel<int> a(0);
    tare::channel<int> b(0);
    auto close = [&]() -> task<> {
      co_await tare::sleep_for(1s);
      b.close();
    };
    tare::spawn(close());
    auto got = co_await tare::select(a.receive(), b.send(1), b.receive());
    EXPECT_NE(got.index(), 0U);
    auto closed = co_await tare::select_in_order(b.send(1), a.receive());
    EXPECT_EQ(closed.index(), 0U);
    EXPECT_FALSE(std::get<0>(closed).has_value());
    auto drained = co_await tare::select_in_order(b.receive(), a.receive());
    EXPECT_FALSE(std::get<0>(drained).has_value());
  };
  rt_.run(body());
}

TEST_F(select_test, the_same_primitive_several_times_and_both_ways) {
  auto body = [&]() -> task<> {
    tare::channel<int> a(0);
    auto give = [&]() -> task<> {
      co_await tare::sleep_for(1s);
      const auto sent = co_await a.send(4);
      EXPECT_TRUE(sent.has_value());
    };
    tare::spawn(give());
    // It does not exchange a value with itself.
    auto got = co_await tare::select(a.receive(), a.send(9), a.receive());
    EXPECT_TRUE(got.index() == 0 ? *std::get<0>(got) == 4 : *std::get<2>(got) == 4);
    EXPECT_FALSE(a.try_receive());
  };
  rt_.run(body());
}

TEST_F(select_test, two_selects_exchange_a_value) {
  auto body = [&]() -> task<> {
    tare::channel<int> a(0);
    tare::channel<int> b(0);
    tare::scope s;
    int exchanged = 0;
    auto one = [&]() -> task<> {
      auto got = co_await tare::select(a.receive(), b.send(1));
      ++exchanged;
      if (got.index() == 0) {
        EXPECT_EQ(std::get<0>(got), 2);
      }
    };
    auto other = [&]() -> task<> {
      auto got = co_await tare::select(a.send(2), b.receive());
      ++exchanged;
      if (got.index() == 1) {
        EXPECT_EQ(std::get<1>(got), 1);
      }
    };
    for (int i = 0; i < 50; ++i) {
      s.spawn(one());
      s.spawn(other());
    }
    co_await s.join();
    EXPECT_EQ(exchanged, 100);
    EXPECT_FALSE(a.try_receive());
    EXPECT_FALSE(b.try_receive());
  };
  rt_.run(body());
}

TEST_F(select_test, a_full_channel_takes_the_value_of_a_waiting_select_only_once) {
  auto body = [&]() -> task<> {
    tare::channel<int> a(1);
    tare::channel<int> b(1);
    for (tare::channel<int>* each : {&a, &b}) {
      int value = 0;
      EXPECT_TRUE(each->try_send(value));
    }
    std::optional<std::size_t> chosen;
    auto sender = [&]() -> task<> {
      auto got = co_await tare::select(a.send(1), b.send(2));
      chosen = got.index();
    };
    tare::spawn(sender());
    co_await tare::yield();
    EXPECT_EQ(a.try_receive(), 0);
    EXPECT_EQ(b.try_receive(), 0);  // its waiting sender is no longer one
    EXPECT_EQ(a.size(), 1U);
    EXPECT_EQ(b.size(), 0U);
    co_await tare::yield();
    EXPECT_EQ(chosen, 0U);
  };
  rt_.run(body());
}

TEST_F(select_test, permits_pass_a_select_that_has_ended_and_waiters_behind_it_go_on) {
  auto body = [&]() -> task<> {
    tare::semaphore permits(1);
    tare::event other;
    bool small = false;
    auto large = [&]() -> task<> {
      auto got = co_await tare::select(permits.acquire(3), other.wait());
      EXPECT_EQ(got.index(), 1U);
    };
    auto behind = [&]() -> task<> {
      auto one = co_await permits.acquire(1);
      small = true;
    };
    tare::scope s;
    s.spawn(large());
    s.spawn(behind());
    co_await tare::yield();
    EXPECT_FALSE(small);  // first come, first served
    other.set();
    co_await s.join();
    EXPECT_TRUE(small);
    EXPECT_EQ(permits.available(), 1U);
    auto all = permits.try_acquire(1);
    EXPECT_TRUE(all);
  };
  rt_.run(body());
}

TEST_F(select_test, of_a_vector) {
  auto body = [&]() -> task<> {
    std::vector<std::unique_ptr<tare::channel<int>>> channels;
    for (int i = 0; i < 100; ++i) channels.push_back(std::make_unique<tare::channel<int>>(1));
    auto requests = [&] {
      std::vector<tare::channel<int>::receive_request> all;
      for (auto& each : channels) all.push_back(each->receive());
      return all;
    };
    auto send = [&]() -> task<> {
      co_await tare::sleep_for(1s);
      const auto sent = co_await channels[42]->send(7);
      EXPECT_TRUE(sent.has_value());
    };
    tare::spawn(send());
    const auto waited = co_await tare::select(requests());
    EXPECT_EQ(waited.first, 42U);
    EXPECT_EQ(waited.second, 7);
    int value = 8;
    EXPECT_TRUE(channels[17]->try_send(value));
    value = 9;
    EXPECT_TRUE(channels[23]->try_send(value));
    const auto ordered = co_await tare::select_in_order(requests());
    EXPECT_EQ(ordered.first, 17U);
    bool refused = false;
    try {
      (void)co_await tare::select(std::vector<tare::channel<int>::receive_request>());
    } catch (const std::invalid_argument&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    tare::event never;
    tare::event set(true);
    std::vector<tare::event::wait_request> events;
    events.push_back(never.wait());
    events.push_back(set.wait());
    const auto event = co_await tare::select(std::move(events));
    EXPECT_EQ(event.first, 1U);
  };
  rt_.run(body());
}

TEST_F(select_test, what_is_always_ready_does_not_hold_up_others) {
  bool others_ran = false;
  auto other = [&]() -> task<> {
    others_ran = true;
    co_return;
  };
  auto body = [&]() -> task<> {
    tare::event set(true);
    tare::event never;
    tare::spawn(other());
    while (!others_ran) (void)co_await tare::select(set.wait(), never.wait());
  };
  rt_.run(body());
}

}  // namespace
