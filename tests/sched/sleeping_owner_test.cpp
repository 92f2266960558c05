// Frames that end on another thread than the one that made them, while no thread runs the shard that made them. Here
// the shard sleeps without descriptors; in tests/net/sleeping_owner_test.cpp it has some.

#include "sched/guests.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tare::test;
using tare::task;

class sleeping_owner : public testing::TestWithParam<tare::clock_kind> {};

TEST_P(sleeping_owner, gets_back_what_others_free) {
  if (tare::detail::poisoning) GTEST_SKIP() << "AddressSanitizer's quarantine holds back freed frames";
  tare::runtime rt({.shards = 2, .clock = GetParam(), .frame_limit = ceiling});
  rt.run(sleep_until_it_has_come_back(rt, few_bytes));
}

INSTANTIATE_TEST_SUITE_P(clocks, sleeping_owner,
                         testing::Values(tare::clock_kind::real, tare::clock_kind::virtual_time));

TEST(absent_owner, gets_back_what_others_free) {
  if (tare::detail::poisoning) GTEST_SKIP() << "AddressSanitizer's quarantine holds back freed frames";
  tare::runtime rt({.shards = 2, .frame_limit = ceiling});
  auto sends = []() -> task<> {
    send_guests();
    co_return;
  };
  rt.run(sends());
  // No thread runs shard 0 now.
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
