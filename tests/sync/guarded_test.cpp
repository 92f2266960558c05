#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

TEST(guarded, gives_the_value_only_with_the_lock) {
  auto body = []() -> task<> {
    tare::guarded<std::map<int, std::string>> users;
    {
      auto locked = co_await users.lock();
      locked->emplace(7, "seven");
      EXPECT_FALSE(users.try_lock());
      auto late = co_await users.try_lock_for(5ms);
      EXPECT_FALSE(late);
    }
    auto again = users.try_lock();
    EXPECT_TRUE(again);
    if (again) {
      EXPECT_EQ(again->at(7), "seven");
    }
    again.release();
    EXPECT_FALSE(again);
    auto timed = co_await users.try_lock_for(5ms);
    EXPECT_EQ(timed->size(), 1U);
    auto moved = std::move(timed);
    EXPECT_FALSE(timed);  // NOLINT(bugprone-use-after-move): that is the test
    EXPECT_EQ((*moved).size(), 1U);
  };
  tare::runtime rt({.clock = tare::clock_kind::virtual_time});
  rt.run(body());
}

TEST(guarded, constructs_the_value_in_place) {
  tare::guarded<std::unique_ptr<int>> owned(std::make_unique<int>(3));
  EXPECT_EQ(**owned.try_lock(), 3);
}

TEST(guarded_death, using_the_value_without_the_lock_aborts) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  tare::guarded<int> number(1);
  auto locked = number.try_lock();
  EXPECT_DEATH(*number.try_lock() = 2, "the value is used without the lock");
  locked.release();
  EXPECT_DEATH(*locked = 2, "the value is used without the lock");
}

}  // namespace
