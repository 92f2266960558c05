#include "io/slot.hpp"

#include "frame/arena.hpp"
#include "frame/heap.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace tare::detail {
namespace {

/// A table only stores the address of its owner.
reactor& nobody() {
  alignas(64) static std::byte place[16'384];  // UndefinedBehaviorSanitizer wants room for a reactor
  return *reinterpret_cast<reactor*>(place);
}

/// Slots come from the heap of a thread that runs no shard.
std::uint64_t live_records() { return arena::instance().shared_heap().live(); }

TEST(slot_table, agrees_with_a_set) {
  slot_table table(nobody());
  std::mt19937 random(7);
  std::vector<io_slot*> live;
  int next = 0;
  for (int step = 0; step < 20'000; ++step) {
    // The number of slots grows and shrinks in waves.
    const bool grow = (step / 2000) % 2 == 0 ? random() % 4 != 0 : random() % 4 == 0;
    if (grow || live.empty()) {
      io_slot* slot = table.take(next++);
      ASSERT_NE(slot, nullptr);
      EXPECT_EQ(slot->flags, io_used);
      EXPECT_EQ(slot->reader, no_link);
      live.push_back(slot);
    } else {
      const std::size_t index = random() % live.size();
      table.give_back(*live[index]);
      live[index] = live.back();
      live.pop_back();
    }
    ASSERT_EQ(table.size(), live.size());
    if (step % 500 == 0) {
      std::set<io_slot*> seen;
      table.for_each([&](io_slot& slot) { EXPECT_TRUE(seen.insert(&slot).second); });
      EXPECT_EQ(seen, std::set<io_slot*>(live.begin(), live.end()));
    }
  }
  for (io_slot* slot : live) table.give_back(*slot);
  EXPECT_EQ(table.size(), 0U);
}

TEST(slot_table, any_slot_may_go_during_a_visit) {
  const std::uint64_t before = live_records();
  {
    slot_table table(nobody());
    std::vector<io_slot*> all;
    for (int i = 0; i < 1000; ++i) all.push_back(table.take(i));
    std::size_t visited = 0;
    table.for_each([&](io_slot& slot) {
      // The slot itself, and a distant one.
      ++visited;
      io_slot& other = *all[static_cast<std::size_t>(999 - slot.fd)];
      if (other.has(io_used)) table.give_back(other);
      table.give_back(slot);
    });
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(visited, 500U);
    EXPECT_LE(live_records(), before + 1);
  }
  EXPECT_EQ(live_records(), before);
}

TEST(slot_table, a_slot_used_again_tells_events_of_its_past_apart) {
  slot_table table(nobody());
  io_slot* first = table.take(3);
  const auto generation = first->generation;
  table.give_back(*first);
  io_slot* second = table.take(4);
  EXPECT_EQ(second, first);
  EXPECT_NE(second->generation, generation);
  table.give_back(*second);
}

TEST(slot_table, slots_may_outlive_the_table) {
  const std::uint64_t before = live_records();
  std::vector<io_slot*> left;
  {
    slot_table table(nobody());
    for (int i = 0; i < 400; ++i) left.push_back(table.take(i));
  }
  for (io_slot* slot : left) {
    EXPECT_EQ(slot_table::owner_of(*slot), nullptr);
    slot_table::give_back_orphan(*slot);
  }
  EXPECT_EQ(live_records(), before);
}

}  // namespace
}  // namespace tare::detail
