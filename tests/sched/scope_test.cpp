#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

class scope_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

struct counted {
  explicit counted(int& of) : live(&of) { ++*live; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --*live; }
  int* live;
};

task<> sleeps(std::chrono::milliseconds time, int& ended) {
  co_await tare::sleep_for(time);
  ++ended;
}

TEST_F(scope_test, join_waits_for_all) {
  int ended = 0;
  auto body = [&]() -> task<> {
    tare::scope s;
    for (int i = 0; i < 1000; ++i) s.spawn(sleeps(std::chrono::milliseconds(i % 7), ended));
    EXPECT_EQ(s.size(), 1000U);
    co_await s.join();
    EXPECT_EQ(s.size(), 0U);
    s.spawn(sleeps(1ms, ended));  // the scope can be used again
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(ended, 1001);
}

TEST_F(scope_test, the_first_error_cancels_the_siblings_and_is_rethrown) {
  int ended = 0;
  int live = 0;
  auto holds = [&]() -> task<> {
    const counted here(live);
    co_await tare::sleep_for(1h);
    ++ended;
  };
  auto fails = [](const char* what, std::chrono::milliseconds after) -> task<> {
    co_await tare::sleep_for(after);
    throw std::runtime_error(what);
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    for (int i = 0; i < 300; ++i) s.spawn(holds());
    s.spawn(fails("second", 20ms));
    s.spawn(fails("first", 10ms));
    try {
      co_await s.join();
      ADD_FAILURE();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "first");
    }
    EXPECT_EQ(live, 0);
  };
  const auto time = [&]() -> task<std::chrono::nanoseconds> {
    const auto before = tare::now();
    co_await body();
    co_return tare::now() - before;
  };
  EXPECT_LT(rt_.run(time()), 12ms);
  EXPECT_EQ(ended, 0);
}

TEST_F(scope_test, collects_all_errors_if_told_to) {
  auto fails = [](int after) -> task<> {
    co_await tare::sleep_for(std::chrono::milliseconds(after));
    throw after;
  };
  int ended = 0;
  auto body = [&]() -> task<std::size_t> {
    tare::scope s(tare::on_error::collect);
    for (int i = 1; i <= 3; ++i) s.spawn(fails(i));
    s.spawn(sleeps(50ms, ended));
    try {
      co_await s.join();
    } catch (const tare::error_group& group) {
      co_return group.errors().size();
    }
    co_return 0;
  };
  EXPECT_EQ(rt_.run(body()), 3U);
  EXPECT_EQ(ended, 1);
}

TEST_F(scope_test, cancellation_reaches_the_leaf_through_any_depth_and_unwinds_it) {
  int live = 0;
  std::string seen;
  auto dive = [&](auto& self, int depth) -> task<> {
    const counted here(live);
    if (depth != 0) {
      co_await self(self, depth - 1);
      co_return;
    }
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      seen += "leaf";
      throw;
    }
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(dive(dive, 1000));
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(live, 1001);
    s.cancel();
    co_await s.join();
    EXPECT_EQ(live, 0);
  };
  rt_.run(body());
  EXPECT_EQ(seen, "leaf");
}

TEST_F(scope_test, cancellation_is_sticky_but_a_shield_holds) {
  std::vector<std::string> seen;
  auto say_goodbye = [&]() -> task<int> {
    co_await tare::sleep_for(5ms);
    seen.emplace_back("goodbye");
    co_return 1;
  };
  auto stubborn = [&]() -> task<> {
    try {
      co_await tare::sleep_for(1h);
    } catch (const tare::cancelled&) {
      seen.emplace_back("first");
    }
    EXPECT_EQ(co_await tare::shield(say_goodbye()), 1);
    try {
      co_await tare::yield();
    } catch (const tare::cancelled&) {
      seen.emplace_back("second");
    }
    co_await tare::sleep_for(1h);
    seen.emplace_back("never");
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(stubborn());
    co_await tare::yield();
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(seen, (std::vector<std::string>{"first", "goodbye", "second"}));
}

TEST_F(scope_test, left_by_an_exception_it_cancels_and_awaits_its_tasks) {
  int live = 0;
  auto holds = [&]() -> task<> {
    const counted here(live);
    co_await tare::sleep_for(1h);
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 10; ++i) s.spawn(holds());
      co_await tare::sleep_for(1ms);
      EXPECT_EQ(live, 10);
      throw std::runtime_error("left");
    });
  };
  EXPECT_THROW(rt_.run(body()), std::runtime_error);
  EXPECT_EQ(live, 0);
}

TEST_F(scope_test, a_task_that_fails_cancels_the_body_too) {
  int live = 0;
  auto fails = []() -> task<> {
    co_await tare::sleep_for(1ms);
    throw std::runtime_error("failed");
  };
  auto body = [&]() -> task<std::chrono::nanoseconds> {
    const auto before = tare::now();
    try {
      co_await tare::with_scope([&](tare::scope& s) -> task<> {
        const counted here(live);
        s.spawn(fails());
        co_await tare::sleep_for(1h);
      });
      ADD_FAILURE();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "failed");
    }
    co_return tare::now() - before;
  };
  EXPECT_LT(rt_.run(body()), 3ms);
  EXPECT_EQ(live, 0);
}

TEST_F(scope_test, a_task_that_fails_cancels_a_body_that_has_moved_away) {
  auto fails = []() -> task<> {
    co_await tare::sleep_for(10ms);
    throw std::runtime_error("failed");
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(fails());
      co_await tare::resume_on(1);
      EXPECT_EQ(tare::this_shard(), 1U);
      co_await tare::sleep_for(1h);
    });
  };
  tare::runtime two({.shards = 2, .clock = tare::clock_kind::virtual_time});
  EXPECT_THROW(two.run(body()), std::runtime_error);
}

TEST_F(scope_test, where_errors_are_collected_the_bodys_is_one_of_them) {
  int ended = 0;
  auto body = [&]() -> task<std::size_t> {
    try {
      co_await tare::with_scope(
          [&](tare::scope& s) -> task<> {
            s.spawn(sleeps(1ms, ended));
            EXPECT_EQ(s.size(), 1U) << "the body is not counted";
            co_await tare::yield();
            throw std::runtime_error("body");
          },
          tare::on_error::collect);
    } catch (const tare::error_group& group) {
      co_return group.errors().size();
    }
    co_return 0;
  };
  EXPECT_EQ(rt_.run(body()), 1U);
  EXPECT_EQ(ended, 1);
}

TEST_F(scope_test, a_body_that_throws_before_it_gives_a_task_is_cleaned_up_after) {
  int live = 0;
  auto holds = [&]() -> task<> {
    const counted here(live);
    co_await tare::sleep_for(1h);
  };
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(holds());
      throw std::runtime_error("no task");
    });
  };
  EXPECT_THROW(rt_.run(body()), std::runtime_error);
  EXPECT_EQ(live, 0);
}

TEST_F(scope_test, cancelling_the_joiner_cancels_the_tasks) {
  int live = 0;
  bool joined = false;
  auto holds = [&]() -> task<> {
    const counted here(live);
    co_await tare::sleep_for(1h);
  };
  auto inner = [&]() -> task<> {
    tare::scope s;
    for (int i = 0; i < 10; ++i) s.spawn(holds());
    try {
      co_await s.join();
      ADD_FAILURE();
    } catch (const tare::cancelled&) {
      EXPECT_EQ(live, 0);
      joined = true;
      throw;
    }
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(inner());
    co_await tare::sleep_for(1ms);
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_TRUE(joined);
}

TEST_F(scope_test, nested_scopes_are_cancelled_without_using_the_stack) {
  int live = 0;
  auto nest = [&](auto& self, int depth) -> task<> {
    const counted here(live);
    if (depth == 0) {
      co_await tare::sleep_for(1h);
      co_return;
    }
    tare::scope s;
    s.spawn(self(self, depth - 1));
    std::exception_ptr left;
    try {
      co_await s.join();
    } catch (...) {
      left = std::current_exception();
    }
    if (left) std::rethrow_exception(left);
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.spawn(nest(nest, 20'000));
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(live, 20'001);
    s.cancel();
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(live, 0);
}

TEST_F(scope_test, tasks_spawned_after_cancel_never_start) {
  int started = 0;
  auto starts = [&]() -> task<> {
    ++started;
    co_return;
  };
  auto body = [&]() -> task<> {
    tare::scope s;
    s.cancel();
    s.spawn(starts());
    co_await s.join();
  };
  rt_.run(body());
  EXPECT_EQ(started, 0);
}

using scope_death_test = scope_test;

TEST_F(scope_death_test, destroying_it_with_tasks_left_says_so) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto body = []() -> task<> {
    tare::scope s;
    int ended = 0;
    s.spawn(sleeps(1ms, ended));
    co_return;
  };
  EXPECT_DEATH(tare::run(body()), "a scope was destroyed before 1 of its tasks had ended");
}

}  // namespace
