#include "timer/wheel.hpp"

#include "frame/arena.hpp"
#include "frame/heap.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/timer_node.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
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

/// In the order of insertion within a tick, whether or not the slot is large, and also if insertions and steps
/// alternate.
TEST(wheel, a_slot_with_many_entries_expires_in_the_order_of_insertion) {
  constexpr std::size_t count = 1000;
  for (const std::uint64_t distance : {0UL, 5UL, 300UL, 20'000UL, 2'000'000UL}) {
    for (const std::size_t first : {1UL, 255UL, 256UL, 257UL, 271UL, 900UL, count}) {
      entries all(count);
      wheel timers(7);
      std::vector<std::size_t> order;
      const auto expired = [&](wait_state& entry) { order.push_back(all.index_of(entry)); };
      for (std::size_t i = 0; i < first; ++i) timers.insert(all[i], 7 + distance);
      EXPECT_EQ(timers.next_tick().has_value(), true);
      const bool more = timers.advance(7 + distance, expired, first / 2);
      EXPECT_TRUE(more);
      for (std::size_t i = first; i < count; ++i) timers.insert(all[i], 7 + distance);
      timers.advance(7 + distance, expired);
      ASSERT_EQ(order.size(), count) << distance << ", " << first;
      // Those that come while a slot of a higher level is being emptied may overtake its entries.
      if (distance < 256 || first == count) {
        EXPECT_TRUE(std::ranges::is_sorted(order)) << distance << ", " << first;
      }
      EXPECT_TRUE(timers.idle() || timers.next_tick() == std::nullopt);
    }
  }
}

/// A slot may lose any of its entries, also all, and is then as new.
TEST(wheel, entries_of_a_large_slot_can_be_removed) {
  constexpr std::size_t count = 600;
  for (const std::size_t keep_each : {2UL, 15UL, 16UL, 301UL, 1000UL}) {
    entries all(count);
    wheel timers(0);
    for (int round = 0; round < 3; ++round) {
      for (std::size_t i = 0; i < count; ++i) timers.insert(all[i], timers.present() + 1000);
      std::set<std::size_t> kept;
      for (std::size_t i = 0; i < count; ++i) {
        if (i % keep_each == keep_each - 1) {
          kept.insert(i);
        } else {
          wheel::remove(all[i]);
        }
      }
      std::set<std::size_t> visited;
      timers.for_each([&](wait_state& entry) { visited.insert(all.index_of(entry)); });
      EXPECT_EQ(visited, kept);
      EXPECT_EQ(timers.next_tick().has_value(), !kept.empty());
      const auto expired = expired_until(timers, timers.present() + 1000, all);
      EXPECT_EQ(std::set<std::size_t>(expired.begin(), expired.end()), kept);
      EXPECT_EQ(expired.size(), kept.size());
    }
  }
}

/// The lists of large slots are records, which may be refused, and are freed with the slot.
TEST(wheel, a_large_slot_does_without_memory_that_is_refused) {
  constexpr std::size_t count = 2000;
  static bool refused = false;
  static int calls = 0;
  entries all(count);
  frame_ceiling ceiling;
  heap& mine = arena::instance().acquire_heap();
  heap* const before = std::exchange(current_heap, &mine);
  {
    wheel timers(0);
    heap::gate = []() noexcept {
      ++calls;
      return !refused;
    };
    mine.charge_to(&ceiling);
    for (const bool refuse : {true, false, true}) {
      refused = refuse;
      calls = 0;
      for (std::size_t i = 0; i < count; ++i) timers.insert(all[i], timers.present() + 3);
      EXPECT_EQ(calls, refuse ? static_cast<int>(count / 257) : 1);
      EXPECT_EQ(expired_until(timers, timers.present() + 3, all).size(), count);
    }
    heap::gate = nullptr;
    mine.charge_to(nullptr);
  }
  current_heap = before;
  mine.unlock();
  arena::instance().release_heap(mine);
}

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

/// Compares the wheel with the simplest model: a map from deadline to entries.
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
