#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

struct counted {
  explicit counted(int n) : number(n) { ++alive; }
  counted(counted&& other) noexcept : number(other.number) { ++alive; }
  counted& operator=(counted&& other) noexcept {
    number = other.number;
    return *this;
  }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  int number;
  static inline std::atomic<int> alive = 0;
};

using sender = tare::channel_sender<counted>;
using receiver = tare::channel_receiver<counted>;

task<> send(std::vector<sender>& by, int number, char& outcome) {
  const auto sent = co_await by.back().send(counted(number));
  outcome = sent ? 's' : 'x';
}

task<> receive(std::vector<receiver>& by, char& outcome) {
  const auto got = co_await by.back().receive();
  outcome = got ? static_cast<char>('0' + got->number) : 'x';
}

constexpr std::size_t capacity = 1;

class model {
 public:
  void send(std::size_t number, int value) {
    outcomes[number] = '-';
    if (closed_) {
      outcomes[number] = 'x';
    } else {
      sending_.emplace_back(number, value);
      settle();
    }
  }
  void receive(std::size_t number) {
    outcomes[number] = '-';
    receiving_.push_back(number);
    settle();
  }
  void cancel(std::size_t number) {
    const auto before = sending_.size() + receiving_.size();
    std::erase_if(sending_, [number](const auto& each) { return each.first == number; });
    std::erase(receiving_, number);
    if (sending_.size() + receiving_.size() != before) outcomes[number] = 'c';
  }
  void close() {
    closed_ = true;
    for (const auto& each : sending_) outcomes[each.first] = 'x';
    sending_.clear();
    settle();
  }
  void discard() {
    close();
    buffer.clear();
  }

  std::string outcomes = std::string(8, ' ');
  std::deque<int> buffer;

 private:
  void settle() {
    for (;;) {
      if (!receiving_.empty() && !buffer.empty()) {
        outcomes[receiving_.front()] = static_cast<char>('0' + buffer.front());
        buffer.pop_front();
        receiving_.pop_front();
      } else if (!sending_.empty() && buffer.size() < capacity) {
        buffer.push_back(sending_.front().second);
        outcomes[sending_.front().first] = 's';
        sending_.pop_front();
      } else {
        break;
      }
    }
    if (!closed_) return;
    for (const std::size_t each : receiving_) outcomes[each] = 'x';
    receiving_.clear();
  }

  std::deque<std::pair<std::size_t, int>> sending_;
  std::deque<std::size_t> receiving_;
  bool closed_ = false;
};

/// s, r: a task sends, receives; S, R: a half is copied; d, e: a sender, a receiver is destroyed; c: the youngest task
/// is cancelled.
task<> play(const std::string& order) {
  std::vector<sender> senders;
  std::vector<receiver> receivers;
  {
    auto [one, other] = tare::make_channel<counted>(capacity);
    senders.push_back(std::move(one));
    receivers.push_back(std::move(other));
  }
  support::cancellable_tasks tasks;
  model expected;
  int value = 0;
  for (const char step : order) {
    if (step == 's' && !senders.empty()) {
      ++value;
      expected.send(tasks.begin([&](char& outcome) { return send(senders, value, outcome); }), value);
    }
    if (step == 'r' && !receivers.empty()) {
      expected.receive(tasks.begin([&](char& outcome) { return receive(receivers, outcome); }));
    }
    if (step == 'S' && !senders.empty()) senders.emplace_back(senders.back());
    if (step == 'R' && !receivers.empty()) receivers.emplace_back(receivers.back());
    if (step == 'd' && !senders.empty()) {
      senders.pop_back();
      if (senders.empty()) expected.close();
    }
    if (step == 'e' && !receivers.empty()) {
      receivers.pop_back();
      if (receivers.empty()) expected.discard();
    }
    if (step == 'c' && tasks.size() != 0) {
      tasks.cancel(tasks.size() - 1);
      expected.cancel(tasks.size() - 1);
    }
    co_await support::drain();
    EXPECT_EQ(tasks.outcomes(), expected.outcomes) << order;
    if (!senders.empty()) {
      EXPECT_EQ(senders.back().is_wanted(), !receivers.empty()) << order;
    }
  }
  senders.clear();
  tasks.cancel_all();
  co_await tasks.join();
  receivers.clear();
  EXPECT_EQ(counted::alive, 0) << order;
}

TEST(channel_halves, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  support::for_each_order("srSRdec", 5, [&](const std::string& order) { rt.run(play(order)); });
}

TEST(channel_halves, the_last_half_frees_the_channel_whichever_it_is) {
  for (const bool sender_first : {false, true}) {
    auto [one, other] = tare::make_channel<counted>(tare::unbounded);
    for (int i = 0; i < 100; ++i) {
      counted value(i);
      EXPECT_TRUE(one.try_send(value));
    }
    EXPECT_EQ(counted::alive, 100);
    if (sender_first) {
      one = {};
      const auto got = other.try_receive();
      EXPECT_TRUE(got && got->number == 0) << "what was sent can still be received";
      other = {};
    } else {
      other = {};
      EXPECT_EQ(counted::alive, 0) << "nobody can receive it";
      counted value(7);
      EXPECT_FALSE(one.try_send(value));
      one = {};
    }
    EXPECT_EQ(counted::alive, 0);
  }
}

TEST(channel_halves, tasks_outlive_the_runtime_that_the_halves_came_from) {
  auto [one, other] = tare::make_channel<int>(1);
  {
    tare::runtime first;
    auto sends = [](const tare::channel_sender<int>& by) -> task<> {
      const auto sent = co_await by.send(1);
      EXPECT_TRUE(sent);
    };
    first.run(sends(one));
  }
  tare::runtime second;
  auto receives = [](const tare::channel_receiver<int>& by) -> task<> {
    const auto got = co_await by.receive();
    EXPECT_EQ(got, 1);
  };
  second.run(receives(other));
}

// --- threads outside ------------------------------------------------------------------------------------------------

class blocking : public testing::TestWithParam<std::size_t> {};

TEST_P(blocking, threads_send_to_threads) {
  auto [one, other] = tare::make_channel<int>(GetParam());
  std::thread sends([by = std::move(one)] {
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(by.blocking_send(i));
  });
  int expected = 0;
  while (auto got = other.blocking_receive()) EXPECT_EQ(*got, expected++);
  EXPECT_EQ(expected, 200);
  sends.join();
}

TEST_P(blocking, threads_talk_with_tasks) {
  auto [requests, work] = tare::make_channel<int>(GetParam());
  auto [results, answers] = tare::make_channel<int>(GetParam());
  tare::runtime rt({.shards = 2, .background = true});
  auto serve = [](tare::channel_receiver<int> from, tare::channel_sender<int> to) -> task<> {
    while (auto got = co_await from.receive()) (void)co_await to.send(2 * *got);
  };
  rt.spawn_on(0, serve(work, results));
  rt.spawn_on(1, serve(std::move(work), std::move(results)));
  std::thread asks([by = std::move(requests)] {
    for (int i = 1; i <= 100; ++i) EXPECT_TRUE(by.blocking_send(i));
  });
  int sum = 0;
  while (auto got = answers.blocking_receive()) sum += *got;  // until both tasks have ended
  EXPECT_EQ(sum, 100 * 101);
  asks.join();
}

TEST_P(blocking, ends_when_the_other_side_goes) {
  {
    auto [one, other] = tare::make_channel<int>(GetParam());
    std::thread goes([by = std::move(one)]() mutable {
      std::this_thread::yield();
      by = {};
    });
    EXPECT_FALSE(other.blocking_receive());
    goes.join();
  }
  auto [one, other] = tare::make_channel<int>(GetParam());
  std::thread goes([by = std::move(other)]() mutable {
    std::this_thread::yield();
    by = {};
  });
  int sent = 0;
  while (one.blocking_send(1)) ++sent;
  EXPECT_LE(sent, static_cast<int>(GetParam()));
  goes.join();
}

INSTANTIATE_TEST_SUITE_P(capacities, blocking, testing::Values(0, 1, 7));

TEST(blocking_death, in_a_task_names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  auto body = [](bool sends) -> task<> {
    tare::channel<int> values(0);
    if (sends) (void)values.blocking_send(1);
    (void)values.blocking_receive();
    co_return;
  };
  EXPECT_DEATH(tare::run(body(true)), "channel::blocking_send called in a task: .* use co_await send");
  EXPECT_DEATH(tare::run(body(false)), "channel::blocking_receive called in a task: .* use co_await receive");
  EXPECT_DEATH((void)tare::channel_sender<int>().send(1), "channel_sender: it is empty or has been moved from");
  EXPECT_DEATH((void)tare::channel_receiver<int>().receive(), "channel_receiver: it is empty or has been moved from");
}

}  // namespace
