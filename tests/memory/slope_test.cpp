// The promises about memory, compared with the kernel's figures.

#include "support/own_memory.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>

namespace {

using namespace std::chrono_literals;
using tare::task;

#if defined(__clang__)
constexpr bool compact_frames = true;
#else
constexpr bool compact_frames = false;  // g++ 12 keeps a handle to the coroutine itself and every local in the frame
#endif

using support::resident_bytes;

constexpr std::size_t million = 1'000'000;

/// Waits until all tasks have begun, and the idle shard has returned the memory that it had populated in advance.
task<> rest() {
  co_await tare::yield();
  co_await tare::sleep_for(30ms);
}

task<> sleeper() { co_await tare::sleep_for(1h); }
task<> short_sleeper() { co_await tare::sleep_for(1s); }

TEST(memory, a_detached_sleeper_weighs_32_bytes) {
  double slope = 0;
  double second_slope = 0;
  auto body = [&]() -> task<> {
    const double before = resident_bytes();
    for (std::size_t i = 0; i < million; ++i) tare::spawn(sleeper());
    co_await rest();
    const double first = resident_bytes();
    for (std::size_t i = 0; i < million; ++i) tare::spawn(sleeper());
    co_await rest();
    slope = (first - before) / million;
    second_slope = (resident_bytes() - first) / million;
  };
  tare::run(body());
  EXPECT_LE(slope, compact_frames ? 33 : 81);
  EXPECT_NEAR(second_slope / slope, 1, 0.02);
}

TEST(memory, a_sleeper_in_a_scope_weighs_less_than_37_bytes) {
  double slope = 0;
  auto body = [&]() -> task<> {
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      const double before = resident_bytes();
      for (std::size_t i = 0; i < million; ++i) s.spawn(sleeper());
      co_await rest();
      slope = (resident_bytes() - before) / million;
      s.cancel();
    });
  };
  tare::run(body());
  EXPECT_LE(slope, compact_frames ? 37 : 85);
}

task<int> leaf(int n) {
  co_await tare::sleep_for(1h);
  co_return n;
}
task<int> third(int n) { co_return n + co_await leaf(n + 1); }
task<int> second(int n) { co_return n + co_await third(n + 1); }
task<> first(int n, int& sum) { sum += n + co_await second(n + 1); }

TEST(memory, a_parked_chain_of_four_weighs_less_than_200_bytes) {
  double weight = 0;
  int sum = 0;
  auto body = [&]() -> task<> {
    constexpr int chains = 200'000;
    const double before = resident_bytes();
    for (int i = 0; i < chains; ++i) tare::spawn(first(i, sum));
    co_await rest();
    weight = (resident_bytes() - before) / chains;
  };
  tare::run(body());
  EXPECT_LE(weight, compact_frames ? 200 : 500);
}

TEST(memory, comes_back_when_a_million_tasks_have_ended) {
  double above = 0;
  auto body = [&]() -> task<> {
    const double fresh = resident_bytes();
    for (std::size_t i = 0; i < million; ++i) tare::spawn(short_sleeper());
    co_await tare::sleep_for(3s);
    above = resident_bytes() - fresh;
  };
  tare::run(body());
  EXPECT_LE(above, 4e6);
}

TEST(memory, a_runtime_with_two_shards_is_light) {
  const double before = resident_bytes();
  const tare::runtime rt({.shards = 2});
  EXPECT_LE(resident_bytes() - before, 1e6);
}

}  // namespace
