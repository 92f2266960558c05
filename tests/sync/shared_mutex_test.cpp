#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using tare::task;

class shared_mutex_test : public testing::Test {
 protected:
  tare::runtime rt_{{.clock = tare::clock_kind::virtual_time}};
};

TEST_F(shared_mutex_test, readers_together_and_a_writer_alone_in_the_order_they_came) {
  std::string log;
  auto read = [&](tare::shared_mutex& m) -> task<> {
    const auto guard = co_await m.lock_shared();
    log += '(';
    co_await tare::sleep_for(1ms);
    log += ')';
  };
  auto write = [&](tare::shared_mutex& m) -> task<> {
    const auto guard = co_await m.lock();
    log += '[';
    co_await tare::sleep_for(1ms);
    log += ']';
  };
  auto body = [&]() -> task<> {
    tare::shared_mutex m;
    tare::scope s;
    s.spawn(read(m));
    s.spawn(read(m));
    s.spawn(write(m));
    s.spawn(read(m));
    s.spawn(write(m));
    s.spawn(write(m));
    s.spawn(read(m));
    s.spawn(read(m));
    co_await s.join();
    EXPECT_TRUE(m.try_lock());
  };
  rt_.run(body());
  EXPECT_EQ(log, "(())[]()[][](())");
}

TEST_F(shared_mutex_test, a_writer_that_gives_up_lets_readers_behind_it_in) {
  auto body = [&]() -> task<> {
    tare::shared_mutex m;
    auto reading = co_await m.lock_shared();
    tare::scope writer;
    auto write = [](tare::shared_mutex& of) -> task<> { auto guard = co_await of.lock(); };
    writer.spawn(write(m));
    co_await tare::yield();
    EXPECT_FALSE(m.try_lock_shared()) << "the writer came first";
    auto late = co_await m.try_lock_shared_for(5ms);
    EXPECT_FALSE(late);
    bool in = false;
    tare::scope reader;
    auto read = [](tare::shared_mutex& of, bool& done) -> task<> {
      auto guard = co_await of.lock_shared();
      done = true;
    };
    reader.spawn(read(m, in));
    co_await tare::yield();
    EXPECT_FALSE(in);
    writer.cancel();
    co_await writer.join();
    co_await reader.join();
    EXPECT_TRUE(in);
    auto timed = co_await m.try_lock_for(5ms);
    EXPECT_FALSE(timed) << "a reader has it";
    reading.release();
    timed = co_await m.try_lock_for(5ms);
    EXPECT_TRUE(timed);
  };
  rt_.run(body());
}

TEST_F(shared_mutex_test, downgrading_leaves_no_gap_for_writers) {
  auto body = [&]() -> task<> {
    tare::shared_mutex m;
    auto guard = co_await m.lock();
    tare::scope s;
    std::string log;
    auto read = [](tare::shared_mutex& of, std::string& to) -> task<> {
      auto reading = co_await of.lock_shared();
      to += 'r';
    };
    auto write = [](tare::shared_mutex& of, std::string& to) -> task<> {
      auto writing = co_await of.lock();
      to += 'w';
    };
    s.spawn(read(m, log));
    s.spawn(write(m, log));
    co_await tare::yield();
    tare::shared_mutex::downgrade(guard);
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(log, "r");
    guard.release();
    co_await s.join();
    EXPECT_EQ(log, "rw");
    EXPECT_TRUE(m.try_lock());
  };
  rt_.run(body());
}

TEST(shared_mutex_death, names_the_call) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  tare::shared_mutex::guard none;
  EXPECT_DEATH(tare::shared_mutex::downgrade(none), "shared_mutex::downgrade: the guard is empty");
}

}  // namespace
