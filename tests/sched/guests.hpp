#pragma once

// Tasks that shard 0 creates and that end on shard 1, so their frames are freed by a shard that does not own them.

#include "frame/poison.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <new>
#include <vector>

namespace tare::test {

using namespace std::chrono_literals;

inline constexpr int guests = 40'000;
inline constexpr std::size_t few_bytes = std::size_t{256} << 10U;
/// More than the guests need, but less than twice that. Frames of g++, and frames that are not optimized, are larger.
#if defined(__clang__) && defined(__OPTIMIZE__)
inline constexpr std::size_t ceiling = std::size_t{3} << 20U;
#else
inline constexpr std::size_t ceiling = std::size_t{8} << 20U;
#endif

inline std::atomic<int> ended = 0;

inline task<> guest() {
  co_await sleep_for(5ms);
  ++ended;
}

inline task<> one() { co_await yield(); }

inline void send_guests() {
  ended = 0;
  for (int i = 0; i < guests; ++i) spawn_on(1, guest());
}

/// On shard 1: waits until all have ended. Returns whether the same number of tasks can be created again.
inline task<bool> has_room() {
  while (ended < guests) co_await sleep_for(1ms);
  std::vector<task<>> many;
  try {
    for (int i = 0; i < guests; ++i) many.push_back(one());
  } catch (const std::bad_alloc&) {
    co_return false;
  }
  co_return true;
}

inline task<bool> becomes_small(runtime& rt, std::size_t few) {
  for (int i = 0; i < 500 && rt.frame_bytes() > few; ++i) co_await sleep_for(10ms);
  co_return rt.frame_bytes() <= few;
}

/// On shard 0 of two: sends guests to shard 1, and sleeps until their memory has been returned, all but `few` bytes.
inline task<> sleep_until_it_has_come_back(runtime& rt, std::size_t few) {
  send_guests();
  event over;
  auto watch = [&]() -> task<> {
    const bool room = co_await has_room();
    EXPECT_TRUE(room);
    const bool small = co_await becomes_small(rt, few);
    EXPECT_TRUE(small) << rt.frame_bytes();
    over.set();
  };
  spawn_on(1, watch());
  co_await over.wait();
}

}  // namespace tare::test
