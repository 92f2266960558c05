#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>

namespace {

using namespace std::chrono_literals;
using tare::task;

TEST(event, lets_all_waiters_go_on) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  int passed = 0;
  auto wait = [&](tare::event& on) -> task<> {
    co_await on.wait();
    ++passed;
  };
  auto body = [&]() -> task<> {
    tare::event happened;
    tare::scope s;
    for (int i = 0; i < 10; ++i) s.spawn(wait(happened));
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(passed, 0);
    happened.set();
    co_await s.join();
    EXPECT_EQ(passed, 10);
    co_await happened.wait();
    happened.reset();
    EXPECT_FALSE((co_await tare::timeout(1ms, happened.wait())).has_value());
  };
  rt.run(body());
}

TEST(latch, opens_at_zero) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto arrive = [](tare::latch& at, int after) -> task<> {
    co_await tare::sleep_for(std::chrono::milliseconds(after));
    at.count_down();
  };
  auto body = [&]() -> task<> {
    tare::latch all(3);
    tare::scope s;
    for (int i = 1; i <= 3; ++i) s.spawn(arrive(all, i));
    EXPECT_FALSE(all.is_open());
    co_await all.wait();
    EXPECT_TRUE(all.is_open());
    co_await s.join();
  };
  rt.run(body());
}

TEST(oneshot, carries_a_value_from_a_thread) {
  auto body = []() -> task<int> {
    tare::oneshot<std::unique_ptr<int>> answer;
    std::thread other([&] { answer.send(std::make_unique<int>(42)); });
    auto received = co_await answer.receive();
    other.join();
    co_return received ? **received : 0;
  };
  EXPECT_EQ(tare::run(body()), 42);
}

TEST(oneshot, closed_and_cancelled) {
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  auto body = []() -> task<> {
    tare::oneshot<int> never;
    EXPECT_FALSE((co_await tare::timeout(1ms, never.receive())).has_value());
    never.close();
    EXPECT_FALSE((co_await never.receive()).has_value());
    EXPECT_FALSE(never.send(1));
  };
  rt.run(body());
}

}  // namespace
