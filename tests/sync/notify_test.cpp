#include "support/orders.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using tare::task;

task<> wait_once(tare::notify& on, char& outcome) {
  co_await on.wait();
  outcome = 'n';
}

/// w: a task begins to wait; 1, a: notify one, all; o, y: cancel the oldest, the youngest task; r: let tasks run.
task<> play(const std::string& order) {
  tare::notify on;
  support::cancellable_tasks tasks;
  std::deque<std::size_t> waiting;
  std::string expected(8, ' ');
  bool remembered = false;
  auto cancel = [&](std::size_t number) {
    tasks.cancel(number);
    if (std::erase(waiting, number) != 0) expected[number] = 'c';
  };
  for (const char step : order) {
    if (step == 'w') {
      const std::size_t number = tasks.begin([&](char& outcome) { return wait_once(on, outcome); });
      co_await support::drain();
      expected[number] = remembered ? 'n' : '-';
      if (!remembered) waiting.push_back(number);
      remembered = false;
    } else if (step == '1') {
      on.notify_one();
      remembered = remembered || waiting.empty();
      if (!waiting.empty()) {
        expected[waiting.front()] = 'n';
        waiting.pop_front();
      }
    } else if (step == 'a') {
      on.notify_all();
      for (const std::size_t number : waiting) expected[number] = 'n';
      waiting.clear();
    } else if (step == 'r') {
      co_await support::drain();
    } else if (tasks.size() != 0) {
      cancel(step == 'o' ? 0 : tasks.size() - 1);
    }
  }
  co_await support::drain();
  EXPECT_EQ(tasks.outcomes(), expected) << order;
  tasks.cancel_all();
  co_await tasks.join();
}

TEST(notify, every_order_of_steps) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  support::for_each_order("w1aoyr", 5, [&](const std::string& order) { rt.run(play(order)); });
}

TEST(notify, a_thread_wakes_tasks_of_other_shards_that_destroy_it) {
  tare::runtime rt({.shards = 2});
  auto body = [](int round) -> task<> {
    auto on = std::make_unique<tare::notify>();
    std::thread outside([&on = *on] { on.notify_one(); });
    co_await on->wait();
    on.reset();
    outside.join();
    if (round % 2 == 0) co_await tare::resume_on(1);
  };
  for (int round = 0; round < 200; ++round) rt.run(body(round));
}

}  // namespace
