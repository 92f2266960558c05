// Frames that end elsewhere than where they were made, while nobody runs the shard that made them.

#include "frame/poison.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <new>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;

constexpr int guests = 40'000;
constexpr std::size_t few_bytes = std::size_t{256} << 10U;
/// More than the guests need, less than they and as many others do. The frames of g++ are larger.
#if defined(__clang__)
constexpr std::size_t ceiling = std::size_t{3} << 20U;
#else
constexpr std::size_t ceiling = std::size_t{8} << 20U;
#endif

std::atomic<int> ended = 0;

task<> guest() {
  co_await tare::sleep_for(5ms);
  ++ended;
}

task<> one() { co_await tare::yield(); }

void send_guests() {
  ended = 0;
  for (int i = 0; i < guests; ++i) tare::spawn_on(1, guest());
}

/// On shard 1: waits until all have ended, then whether as much can be made again.
task<bool> has_room() {
  while (ended < guests) co_await tare::sleep_for(1ms);
  std::vector<task<>> many;
  try {
    for (int i = 0; i < guests; ++i) many.push_back(one());
  } catch (const std::bad_alloc&) {
    co_return false;
  }
  co_return true;
}

task<bool> becomes_small(tare::runtime& rt) {
  for (int i = 0; i < 500 && rt.frame_bytes() > few_bytes; ++i) co_await tare::sleep_for(10ms);
  co_return rt.frame_bytes() <= few_bytes;
}

class sleeping_owner : public testing::TestWithParam<tare::clock_kind> {};

TEST_P(sleeping_owner, gets_back_what_others_free) {
  if (tare::detail::poisoning) GTEST_SKIP() << "freed frames are held back where their use is reported";
  tare::runtime rt({.shards = 2, .clock = GetParam(), .frame_limit = ceiling});
  auto on_shard_1 = [&]() -> task<> {
    const bool room = co_await has_room();
    EXPECT_TRUE(room);
    const bool small = co_await becomes_small(rt);
    EXPECT_TRUE(small) << rt.frame_bytes();
  };
  auto body = [&]() -> task<> {
    send_guests();
    tare::event over;
    auto watch = [&]() -> task<> {
      co_await on_shard_1();
      over.set();
    };
    tare::spawn_on(1, watch());
    co_await over.wait();  // shard 0 sleeps all the time
  };
  rt.run(body());
}

INSTANTIATE_TEST_SUITE_P(clocks, sleeping_owner,
                         testing::Values(tare::clock_kind::real, tare::clock_kind::virtual_time));

TEST(absent_owner, gets_back_what_others_free) {
  if (tare::detail::poisoning) GTEST_SKIP() << "freed frames are held back where their use is reported";
  tare::runtime rt({.shards = 2, .frame_limit = ceiling});
  auto sends = []() -> task<> {
    send_guests();
    co_return;
  };
  rt.run(sends());
  // Nobody runs shard 0 now.
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (ended < guests && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(1ms);
  ASSERT_EQ(ended, guests);
  while (rt.frame_bytes() > few_bytes && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(1ms);
  EXPECT_LE(rt.frame_bytes(), few_bytes);
}

TEST(absent_owner, of_frames_that_outlive_their_runtime_gets_them_back) {
  std::vector<task<>> kept;
  {
    tare::runtime rt;
    auto makes = [&]() -> task<> {
      for (int i = 0; i < 1000; ++i) kept.push_back(one());
      co_return;
    };
    rt.run(makes());
  }
  std::thread other([&] { kept.clear(); });
  other.join();
  tare::runtime rt;
  EXPECT_LE(rt.frame_bytes(), few_bytes);
}

}  // namespace
