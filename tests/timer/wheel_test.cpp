#include "timer/wheel.hpp"

#include "frame/arena.hpp"
#include "frame/heap.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/timer_node.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace tare::detail {
namespace {

/// Entries in the arena, because links require that.
class entries {
 public:
  explicit entries(std::size_t count)
      : memory_(static_cast<wait_state*>(allocate_record(count * sizeof(padded)))), count_(count) {
    for (std::size_t i = 0; i < count; ++i) ::new (&(*this)[i]) wait_state();
  }
  entries(const entries&) = delete;
  entries& operator=(const entries&) = delete;
  ~entries() { free_record(memory_); }

  [[nodiscard]] wait_state& operator[](std::size_t index) noexcept {
    return reinterpret_cast<padded*>(memory_)[index].state;
  }
  [[nodiscard]] std::size_t index_of(const wait_state& entry) const noexcept {
    return static_cast<std::size_t>(reinterpret_cast<const padded*>(&entry) - reinterpret_cast<const padded*>(memory_));
  }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  struct alignas(8) padded {
    wait_state state;
  };
  wait_state* memory_;
  std::size_t count_;
};

std::vector<std::size_t> expired_until(wheel& timers, std::uint64_t tick, const entries& of) {
  std::vector<std::size_t> expired;
  timers.advance(tick, [&](wait_state& entry) { expired.push_back(of.index_of(entry)); });
  return expired;
}

TEST(wheel, expires_at_the_tick_and_not_before) {
  for (const std::uint64_t start : {0UL, 1UL, 255UL, 256UL, 1'000'000UL}) {
    for (const std::uint64_t distance : {1UL, 255UL, 256UL, 257UL, 16'383UL, 16'384UL, 16'385UL, 1'048'576UL}) {
      entries all(1);
      wheel timers(start);
      timers.insert(all[0], start + distance);
      EXPECT_TRUE(expired_until(timers, start + distance - 1, all).empty()) << start << " + " << distance;
      EXPECT_EQ(expired_until(timers, start + distance, all).size(), 1U) << start << " + " << distance;
      EXPECT_EQ(timers.next_tick(), std::nullopt);
    }
  }
}

TEST(wheel, takes_deadlines_of_the_past_and_beyond_its_range) {
  entries all(2);
  wheel timers(1000);
  timers.insert(all[0], 3);
  timers.insert(all[1], UINT64_MAX);
  EXPECT_EQ(expired_until(timers, 1000, all), std::vector<std::size_t>{0});
  // 300 years.
  EXPECT_TRUE(expired_until(timers, 300ULL * 365 * 86'400 * 1000, all).empty());
  EXPECT_EQ(expired_until(timers, UINT64_MAX, all), std::vector<std::size_t>{1});
}

TEST(wheel, rounds_far_deadlines_up_by_less_than_a_millionth) {
  std::mt19937_64 random(7);  // NOLINT(bugprone-random-generator-seed): to be repeatable
  for (int i = 0; i < 2000; ++i) {
    entries all(1);
    const std::uint64_t start = random() % 1'000'000'000'000U;
    const std::uint64_t distance = random() % (std::uint64_t{1} << (random() % 42));
    wheel timers(start);
    timers.insert(all[0], start + distance);
    std::uint64_t expired_at = 0;
    while (expired_at == 0) {
      const std::uint64_t next =
          timers.next_tick().value();  // NOLINT(bugprone-unchecked-optional-access): or the test fails
      timers.advance(next, [&](wait_state&) { expired_at = next; });
    }
    EXPECT_GE(expired_at, start + distance);
    EXPECT_LE(static_cast<double>(expired_at - start - distance), static_cast<double>(distance) * 1e-6);
  }
}

TEST(wheel, an_entry_inserted_by_a_callback_for_the_same_tick_expires_too) {
  entries all(2);
  wheel timers(0);
  timers.insert(all[0], 5);
  std::vector<std::size_t> order;
  timers.advance(5, [&](wait_state& entry) {
    order.push_back(all.index_of(entry));
    if (&entry == &all[0]) timers.insert(all[1], 5);
  });
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1}));
}

TEST(wheel, removes_without_knowing_the_slot) {
  entries all(3);
  wheel timers(0);
  for (std::size_t i = 0; i < 3; ++i) timers.insert(all[i], 100);
  wheel::remove(all[1]);
  EXPECT_FALSE(all[1].asleep);
  EXPECT_EQ(expired_until(timers, 100, all), (std::vector<std::size_t>{0, 2}));
}

/// Compares the wheel with the simplest model: a map from deadline to entries.
TEST(wheel, empties_slots_in_steps) {
  // For slots of every level, with steps that are too small, just large enough, and larger.
  constexpr std::size_t count = 100;
  for (const std::uint64_t distance : {1UL, 300UL, 20'000UL, 2'000'000UL, 200'000'000UL}) {
    for (const std::size_t most : {1UL, 7UL, 99UL, 100UL, 101UL, 1000UL}) {
      entries all(count + 1);
      wheel timers(3);
      for (std::size_t i = 0; i < count; ++i) timers.insert(all[i], 3 + distance + i % 3);
      std::size_t expired = 0;
      const auto count_it = [&](wait_state&) { ++expired; };
      std::size_t steps = 0;
      bool inserted = false;
      for (;; ++steps) {
        ASSERT_LT(steps, 10 * count);
        const std::size_t before = expired;
        const bool more = timers.advance(3 + 2 * distance + 10, count_it, most);
        EXPECT_LE(expired - before, most);
        if (!more) break;
        // It asks to be called again, and accepts new entries in between.
        EXPECT_LE(timers.next_tick().value(), 3 + distance + 2 + distance / 1'000'000 + 1);
        if (!std::exchange(inserted, true)) timers.insert(all[count], 3 + distance + 1);
      }
      EXPECT_EQ(expired, count + (inserted ? 1 : 0)) << distance << " by " << most;
      EXPECT_GE(steps + 1, count / most);
    }
  }
}

class wheel_model_test : public testing::TestWithParam<unsigned> {};

TEST_P(wheel_model_test, behaves_like_a_sorted_map) {
  std::mt19937_64 random(GetParam());
  constexpr std::size_t count = 300;
  entries all(count);
  std::uint64_t present = random() % 5'000'000;
  wheel timers(present);
  std::vector<std::uint64_t> deadline(count, 0);  // 0: not in the wheel
  std::size_t live = 0;

  for (int step = 0; step < 20'000; ++step) {
    const std::size_t i = random() % count;
    switch (random() % 4) {
      case 0:
      case 1:
        if (deadline[i] != 0) break;
        // Below 2^26 ticks, deadlines are not rounded.
        deadline[i] = present + 1 + random() % (std::uint64_t{1} << (random() % 26));
        timers.insert(all[i], deadline[i]);
        ++live;
        break;
      case 2:
        if (deadline[i] == 0) break;
        wheel::remove(all[i]);
        deadline[i] = 0;
        --live;
        break;
      default: {
        present += random() % (std::uint64_t{1} << (random() % 20));
        std::uint64_t last = 0;
        std::set<std::size_t> expired;
        timers.advance(present, [&](wait_state& entry) {
          const std::size_t index = all.index_of(entry);
          ASSERT_TRUE(expired.insert(index).second);
          EXPECT_GE(deadline[index], last) << "out of order";
          last = deadline[index];
        });
        for (std::size_t entry = 0; entry < count; ++entry) {
          const bool due = deadline[entry] != 0 && deadline[entry] <= present;
          ASSERT_EQ(expired.contains(entry), due) << "entry " << entry << " at tick " << present;
          if (due) {
            deadline[entry] = 0;
            --live;
          }
        }
        break;
      }
    }
    if (step % 100 == 0) {
      std::uint64_t earliest = UINT64_MAX;
      for (const std::uint64_t each : deadline) {
        if (each != 0) earliest = std::min(earliest, each);
      }
      const auto next = timers.next_tick();
      ASSERT_EQ(next.has_value(), live != 0);
      if (next) {
        ASSERT_LE(*next, earliest) << "the shard would sleep too long";
      }
      std::size_t visited = 0;
      timers.for_each([&](wait_state&) { ++visited; });
      ASSERT_EQ(visited, live);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, wheel_model_test, testing::Range(1U, 6U));

}  // namespace
}  // namespace tare::detail
