#include "frame/resident_memory.hpp"
#include "support/sanitizers.hpp"

#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::memory_budget;
using tare::memory_share;

/// Long enough for the next question to reach the kernel, or what stands for it.
void wait_for_a_look() { std::this_thread::sleep_for(2ms); }

TEST(memory_budget, promises_no_more_than_there_is_beside_the_base) {
  memory_budget budget(1000, [] { return std::size_t{400}; });
  memory_share first = budget.try_admit(300);
  EXPECT_TRUE(first);
  memory_share second = budget.try_admit(300);
  EXPECT_TRUE(second);
  EXPECT_EQ(budget.promised(), 600U);
  EXPECT_FALSE(budget.try_admit(1));
  EXPECT_FALSE(budget.has_room(1));
  EXPECT_TRUE(budget.has_room(0));
  first.release();
  wait_for_a_look();
  EXPECT_TRUE(budget.has_room(300));
  EXPECT_FALSE(budget.has_room(301));
  EXPECT_EQ(budget.refusals(), 1U);
}

TEST(memory_budget, counts_what_is_really_held) {
  std::atomic<std::size_t> held = 100;
  memory_budget budget(1000, [&] { return held.load(); });
  EXPECT_TRUE(budget.has_room(900));
  held = 950;
  wait_for_a_look();
  EXPECT_FALSE(budget.try_admit(51));
  EXPECT_TRUE(budget.try_admit(50));
  held = 2000;
  wait_for_a_look();
  EXPECT_FALSE(budget.try_admit(1));
  held = 100;
  wait_for_a_look();
  EXPECT_TRUE(budget.try_admit(900));
}

TEST(memory_budget, what_was_promised_a_moment_ago_counts_before_it_is_touched) {
  memory_budget budget(1000, [] { return std::size_t{0}; });
  wait_for_a_look();
  EXPECT_EQ(budget.held(), 0U);
  std::vector<memory_share> all;
  for (int i = 0; i < 20; ++i) {
    if (auto share = budget.try_admit(100)) all.push_back(std::move(share));
  }
  EXPECT_EQ(all.size(), 10U);
}

TEST(memory_budget, a_share_moves_and_counts_once) {
  memory_budget budget(100, [] { return std::size_t{0}; });
  memory_share one = budget.try_admit(60);
  memory_share other = std::move(one);
  EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(budget.promised(), 60U);
  other = memory_share();
  EXPECT_EQ(budget.promised(), 0U);
}

TEST(memory_budget, without_a_limit_admits_everything) {
  memory_budget budget(SIZE_MAX);
  const memory_share share = budget.try_admit(SIZE_MAX / 2);
  EXPECT_TRUE(share);
  EXPECT_TRUE(budget.has_room(SIZE_MAX));
}

TEST(memory_budget, from_many_threads_never_more_than_the_limit) {
  memory_budget budget(1000, [] { return std::size_t{0}; });
  std::atomic<std::size_t> most = 0;
  {
    std::array<std::jthread, 4> threads;
    for (auto& each : threads) {
      each = std::jthread([&] {
        for (int i = 0; i < 2000; ++i) {
          if (const auto share = budget.try_admit(90)) {
            std::size_t seen = most;
            const std::size_t now = budget.promised();
            while (now > seen && !most.compare_exchange_weak(seen, now)) {
            }
          }
        }
      });
    }
  }
  EXPECT_EQ(budget.promised(), 0U);
  // Those that are about to be refused are in the sum for a moment.
  EXPECT_LE(most, 1000U + 4 * 90U);
}

/// Allocates and frees small blocks, of which the last keeps the allocator from returning the others to the system.
std::unique_ptr<char[]> free_all_but_one(std::size_t bytes) {
  constexpr std::size_t block_bytes = 1000;
  std::vector<std::unique_ptr<char[]>> blocks(bytes / block_bytes);
  for (auto& block : blocks) block = std::make_unique<char[]>(block_bytes);
  return std::move(blocks.back());
}

TEST(memory_budget, returns_freed_memory_to_the_system_before_it_refuses) {
  if (support::is_sanitized) GTEST_SKIP() << "has an allocator of its own";
  constexpr std::size_t mib = std::size_t{1} << 20U;
  for (const bool grows : {false, true}) {
    memory_budget budget(tare::detail::resident_bytes() + 24 * mib);
    memory_share share = budget.try_admit(1);
    const auto last = free_all_but_one(32 * mib);
    wait_for_a_look();
    EXPECT_GT(budget.held(), budget.limit());
    if (grows) {
      EXPECT_TRUE(share.try_grow_to(8 * mib));
    } else {
      EXPECT_TRUE(budget.try_admit(8 * mib));
    }
    EXPECT_EQ(budget.refusals(), 0U);
  }
}

// The allocator keeps what is freed. Nothing is refused for that, however often it happens.
TEST(memory_budget, has_room_again_as_soon_as_shares_and_their_memory_are_given_back) {
  if (support::is_sanitized) GTEST_SKIP() << "has an allocator of its own";
  constexpr std::size_t mib = std::size_t{1} << 20U;
  memory_budget budget(tare::detail::resident_bytes() + 24 * mib);
  std::vector<std::unique_ptr<char[]>> last;
  for (int round = 0; round < 5; ++round) {
    memory_share share = budget.try_admit(18 * mib);
    ASSERT_TRUE(share) << round;
    last.push_back(free_all_but_one(18 * mib));
    share.release();
    std::this_thread::sleep_for(25ms);
  }
}

TEST(memory_budget, of_the_runtime_counts_the_memory_of_the_process) {
  auto body = []() -> tare::task<> {
    const std::size_t before = tare::memory().held();
    EXPECT_GT(before, 100'000U);
    EXPECT_LT(before, std::size_t{16} << 30U);
    constexpr std::size_t size = 32U << 20U;
    auto block = std::make_unique<char[]>(size);
    std::memset(block.get(), 1, size);
    asm volatile("" : : "r"(block.get()) : "memory");  // otherwise nobody would need the block
    co_await tare::sleep_for(5ms);
    EXPECT_GE(tare::memory().held(), before + size / 2);
    EXPECT_FALSE(tare::memory().try_admit(std::size_t{20} << 30U));
    EXPECT_TRUE(tare::memory().try_admit(1));
  };
  tare::runtime rt({.memory_limit = std::size_t{16} << 30U});
  EXPECT_EQ(rt.memory().limit(), std::size_t{16} << 30U);
  rt.run(body());
}

}  // namespace
