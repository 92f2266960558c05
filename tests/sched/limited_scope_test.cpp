#include <tare/limited_scope.hpp>

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class limited_scope_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(limited_scope_test, keeps_to_the_limit_and_to_the_order) {
  for (const int limit : {1, 3, 100}) {
    auto body = [&]() -> task<> {
      int running = 0;
      int most = 0;
      std::vector<int> begun;
      auto slow = [&](int number) -> task<int> {
        begun.push_back(number);
        most = std::max(most, ++running);
        co_await tare::sleep_for(std::chrono::seconds(10 - number % 7));
        --running;
        co_return number;
      };
      tare::limited_scope s(static_cast<std::size_t>(limit));
      std::vector<int> expected;
      for (int i = 0; i < 20; ++i) {
        co_await s.spawn(slow(i));
        EXPECT_LE(s.size(), static_cast<std::size_t>(limit));
        expected.push_back(i);
      }
      co_await s.join();
      EXPECT_EQ(most, std::min(limit, 20));
      EXPECT_EQ(begun, expected);
      EXPECT_EQ(running, 0);
      int captured = 0;
      auto again = [&captured, kept = std::make_unique<int>(7)]() -> task<> {
        co_await tare::sleep_for(1s);
        captured = *kept;
      };
      co_await s.spawn(std::move(again));
      co_await s.join();
      EXPECT_EQ(captured, 7);
    };
    rt_.run(body());
  }
}

TEST_F(limited_scope_test, tries_to_spawn) {
  auto body = []() -> task<> {
    int run = 0;
    auto slow = [&run]() -> task<> {
      co_await tare::sleep_for(1s);
      ++run;
    };
    tare::limited_scope s(1);
    task<> first = slow();
    task<> second = slow();
    EXPECT_TRUE(s.try_spawn(first));
    EXPECT_FALSE(first);
    EXPECT_FALSE(s.try_spawn(second));
    EXPECT_TRUE(second);
    co_await tare::sleep_for(2s);
    EXPECT_EQ(run, 1);
    EXPECT_TRUE(s.try_spawn(second));
    co_await s.join();
    EXPECT_EQ(run, 2);
  };
  rt_.run(body());
}

/// What is left of a task that may or may not run.
struct life {
  bool begun = false;
  bool ended = false;
  std::shared_ptr<int> held = std::make_shared<int>(0);

  [[nodiscard]] task<> sleep() { return sleep_with(held, *this); }

 private:
  static task<> sleep_with(std::shared_ptr<int> kept, life& of) {
    of.begun = true;
    co_await tare::sleep_for(10s);
    of.ended = kept != nullptr;
  }
};

/// The scope still runs what is spawned.
task<> expect_a_free_turn(tare::limited_scope& in) {
  life next;
  co_await in.spawn(next.sleep());
  co_await in.join();
  EXPECT_TRUE(next.ended);
}

// The task that spawns is cancelled before it waits, while it waits, and when its turn has come but it has not resumed.
TEST_F(limited_scope_test, a_cancelled_spawn_destroys_its_task_or_has_spawned_it) {
  for (const int when : {0, 5, 10}) {
    auto body = [&]() -> task<> {
      life first;
      life second;
      life third;
      tare::limited_scope s(1);
      co_await s.spawn(first.sleep());
      tare::scope spawning;
      spawning.spawn([&]() -> task<> { co_await s.spawn(second.sleep()); });
      if (when == 0) spawning.cancel();
      if (when == 5) {
        co_await tare::sleep_for(5s);
        spawning.cancel();
      }
      if (when == 10) {
        while (!first.ended) co_await tare::sleep_for(1s);
        spawning.cancel();
      }
      try {
        co_await spawning.join();
      } catch (const tare::cancelled&) {
        ADD_FAILURE() << "only its task was cancelled";
      }
      EXPECT_EQ(second.held.use_count() == 2, when == 10) << when;
      co_await s.spawn(third.sleep());  // the turn has not been lost
      co_await s.join();
      EXPECT_TRUE(first.ended) << when;
      EXPECT_EQ(second.begun, when == 10) << when;
      EXPECT_EQ(second.ended, when == 10) << when;
      EXPECT_TRUE(third.ended) << when;
      for (const life* each : {&first, &second, &third}) EXPECT_EQ(each->held.use_count(), 1) << when;
    };
    rt_.run(body());
  }
}

TEST_F(limited_scope_test, an_error_cancels_the_others_and_gives_the_turn_back) {
  for (const bool collects : {false, true}) {
    auto body = [&]() -> task<> {
      life sibling;
      life late;
      tare::limited_scope s(2, collects ? tare::on_error::collect : tare::on_error::cancel_siblings);
      co_await s.spawn(sibling.sleep());
      co_await s.spawn([]() -> task<int> {
        co_await tare::sleep_for(1s);
        throw std::runtime_error("broken");
      });
      co_await s.spawn(late.sleep());  // waits for the turn of the one that fails
      bool thrown = false;
      try {
        co_await s.join();
      } catch (const std::runtime_error&) {
        thrown = !collects;
      } catch (const tare::error_group& all) {
        thrown = collects && all.errors().size() == 1;
      }
      EXPECT_TRUE(thrown);
      EXPECT_EQ(sibling.ended, collects);
      EXPECT_EQ(late.ended, collects);
      co_await expect_a_free_turn(s);
    };
    rt_.run(body());
  }
}

TEST_F(limited_scope_test, a_cancelled_scope_gives_all_turns_back) {
  auto body = []() -> task<> {
    life first;
    life waiting;
    tare::limited_scope s(1);
    co_await s.spawn(first.sleep());
    tare::scope spawning;
    spawning.spawn(s.spawn(waiting.sleep()));
    co_await tare::sleep_for(1s);
    s.cancel();
    co_await spawning.join();
    co_await s.join();
    EXPECT_FALSE(first.ended);
    EXPECT_FALSE(waiting.ended);
    EXPECT_EQ(waiting.held.use_count(), 1);
    co_await expect_a_free_turn(s);
  };
  rt_.run(body());
}

TEST_F(limited_scope_test, refuses_a_limit_of_0) {
  auto body = []() -> task<> {
    EXPECT_THROW(tare::limited_scope(0), std::invalid_argument);
    co_return;
  };
  rt_.run(body());
}

TEST(limited_scope_death, of_an_empty_task) {
  auto body = []() -> task<> {
    tare::limited_scope s(1);
    life one;
    task<> moved_from = one.sleep();
    const task<> owner = std::move(moved_from);
    co_await s.spawn(std::move(moved_from));  // NOLINT(bugprone-use-after-move): the mistake
  };
  EXPECT_DEATH(tare::run(body()), "limited_scope::spawn");
}

TEST(run_test, returns_a_reference) {
  int value = 7;
  auto body = [&]() -> task<int&> {
    co_await tare::yield();
    co_return value;
  };
  int& got = tare::run(body());
  EXPECT_EQ(&got, &value);
  tare::runtime rt;
  EXPECT_EQ(&rt.run(body), &value);
  static int never = 0;
  auto fails = []() -> task<int&> {
    throw std::runtime_error("broken");
    co_return never;
  };
  EXPECT_THROW(rt.run(fails()), std::runtime_error);
}

}  // namespace
