// Combinators over requests, references and tasks.

#include "sched/run_then_cancel.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <expected>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class awaitables_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

int target = 5;
task<int&> find(std::chrono::seconds after = 1s) {
  co_await tare::sleep_for(after);
  co_return target;
}
task<std::unique_ptr<int>> boxed(int value) {
  co_await tare::sleep_for(1s);
  co_return std::make_unique<int>(value);
}
task<int> fails() {
  co_await tare::sleep_for(2s);
  throw std::runtime_error("no");
}

TEST_F(awaitables_test, when_all_and_when_any_take_requests_and_references) {
  auto body = [&]() -> task<> {
    tare::mutex m;
    tare::event set(true);
    auto all = co_await tare::when_all(m.lock(), tare::sleep_for(1s), boxed(7), find());
    EXPECT_FALSE(m.try_lock());
    EXPECT_EQ(*std::get<2>(all), 7);
    EXPECT_EQ(&std::get<3>(all), &target);
    auto any = co_await tare::when_any(set.wait(), find());
    EXPECT_EQ(any.index(), 0U);
    auto reference = co_await tare::when_any(find(), tare::sleep_for(1h));
    EXPECT_EQ(&std::get<0>(reference).get(), &target);
    std::vector<task<int&>> many;
    many.push_back(find());
    many.push_back(find(5s));
    auto references = co_await tare::when_all(std::move(many));
    EXPECT_EQ(&references.at(1).get(), &target);
  };
  rt_.run(body());
}

TEST_F(awaitables_test, shield_and_timeout_take_requests_and_references) {
  bool locked = false;
  tare::mutex m;
  auto worker = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {  // NOLINT(bugprone-empty-catch): it continues
    }
    auto guard = co_await tare::shield(m.lock());
    co_await tare::shield(tare::sleep_for(1s));
    locked = true;
  };
  auto body = [&]() -> task<> {
    co_await tare::test::run_then_cancel(worker());
    auto reference = co_await tare::timeout(2s, find());
    EXPECT_EQ(&reference.value().get(), &target);
    auto late = co_await tare::timeout(1s, find(2s));
    EXPECT_FALSE(late.has_value());
  };
  rt_.run(body());
  EXPECT_TRUE(locked);
}

TEST_F(awaitables_test, several_steps_share_a_deadline) {
  auto body = [&]() -> task<> {
    const auto start = tare::now();
    auto first = co_await tare::timeout_at(start + 3s, find(2s));
    EXPECT_TRUE(first.has_value());
    auto second = co_await tare::timeout_at(start + 3s, find(2s));
    EXPECT_FALSE(second.has_value());
    EXPECT_EQ(tare::now() - start, 3s);
    auto passed = co_await tare::timeout_at(start, find(2s));
    EXPECT_FALSE(passed.has_value());
    EXPECT_EQ(tare::now() - start, 3s);
  };
  rt_.run(body());
}

TEST_F(awaitables_test, when_all_settled_says_how_each_has_ended) {
  auto body = [&]() -> task<> {
    const auto start = tare::now();
    auto ended = co_await tare::when_all_settled(fails(), boxed(3), tare::sleep_for(4s), find());
    EXPECT_EQ(tare::now() - start, 4s);
    EXPECT_FALSE(std::get<0>(ended).has_value());
    EXPECT_THROW(std::rethrow_exception(std::get<0>(ended).error()), std::runtime_error);
    EXPECT_EQ(**std::get<1>(ended), 3);
    EXPECT_TRUE(std::get<2>(ended).has_value());
    EXPECT_EQ(&std::get<3>(ended)->get(), &target);
    const auto none = co_await tare::when_all_settled();
    EXPECT_EQ(std::tuple_size_v<decltype(none)>, 0U);
  };
  rt_.run(body());
}

TEST_F(awaitables_test, a_cancelled_when_all_settled_returns_what_there_is) {
  bool returned = false;
  auto at_once = []() -> task<int> { co_return 1; };
  auto worker = [&]() -> task<> {
    auto ended = co_await tare::when_all_settled(at_once(), find());
    returned = std::get<0>(ended).has_value() && !std::get<1>(ended).has_value();
  };
  rt_.run(tare::test::run_then_cancel(worker()));
  EXPECT_TRUE(returned);
}

TEST_F(awaitables_test, a_timer_expires_when_nobody_has_reset_it) {
  auto body = [&]() -> task<> {
    tare::timer idle(10s);
    const auto start = tare::now();
    auto touch = [&]() -> task<> {
      for (int i = 0; i < 3; ++i) {
        co_await tare::sleep_for(9s);
        idle.reset();
      }
      co_await tare::sleep_for(1s);
      idle.reset(2s);
    };
    tare::spawn(touch());
    co_await idle.wait();
    EXPECT_EQ(tare::now() - start, 30s);
    EXPECT_TRUE(idle.has_expired());
    co_await idle.wait();  // at once
    EXPECT_EQ(tare::now() - start, 30s);
    idle.reset();
    co_await idle.wait();
    EXPECT_EQ(tare::now() - start, 32s);
  };
  rt_.run(body());
}

TEST_F(awaitables_test, a_timer_can_be_selected_cancelled_and_awaited_by_one_task) {
  auto body = [&]() -> task<> {
    tare::timer idle(10s);
    tare::channel<int> line(1);
    auto send = [&]() -> task<> {
      co_await tare::sleep_for(9s);
      co_await line.send(1);
      idle.reset();
    };
    tare::spawn(send());
    const auto start = tare::now();
    auto got = co_await tare::select(line.receive(), idle.wait());
    EXPECT_EQ(got.index(), 0U);
    auto quiet = co_await tare::select(line.receive(), idle.wait());
    EXPECT_EQ(quiet.index(), 1U);
    EXPECT_EQ(tare::now() - start, 19s);
    auto expired = co_await tare::select(idle.wait(), line.receive());
    EXPECT_EQ(expired.index(), 0U);
    idle.reset(1h);
    auto waits = [&]() -> task<> { co_await idle.wait(); };
    co_await tare::test::run_then_cancel(waits());
    co_await tare::test::run_then_cancel([](tare::timer& t, tare::channel<int>& l) -> task<> {
      (void)co_await tare::select(l.receive(), t.wait());
    }(idle, line));
    tare::scope s;
    s.spawn(waits());
    co_await tare::yield();
    int refused = 0;
    try {
      co_await idle.wait();
    } catch (const std::logic_error&) {
      ++refused;
    }
    try {
      (void)co_await tare::select(line.receive(), idle.wait());
    } catch (const std::logic_error&) {
      ++refused;
    }
    EXPECT_EQ(refused, 2);
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
}

}  // namespace
