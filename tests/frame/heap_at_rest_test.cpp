// What other threads free into a heap while its owner runs, sleeps, or does not exist.

#include "frame/arena.hpp"
#include "frame/heap.hpp"
#include "frame/own_heap.hpp"
#include "frame/poison.hpp"

#include <tare/detail/frame_memory.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

namespace tare::detail {
namespace {

constexpr std::size_t frame_bytes = 96;

class counting_owner final : public heap_owner {
 public:
  void wake() noexcept override { ++wakes; }
  std::atomic<int> wakes = 0;
};

std::vector<void*> make_frames(int count) {
  std::vector<void*> frames;
  for (int i = 0; i < count; ++i) frames.push_back(allocate_frame(frame_bytes, 16));
  return frames;
}

/// On another thread, with or without its own heap.
void free_elsewhere(const std::vector<void*>& frames, bool with_heap) {
  std::thread other([&] {
    std::optional<own_heap> another;
    if (with_heap) another.emplace();
    for (void* each : frames) free_frame(each);
  });
  other.join();
}

enum class state { runs, rests, has_no_owner };

class freed_elsewhere : public testing::TestWithParam<std::tuple<state, bool, int>> {};

TEST_P(freed_elsewhere, comes_back) {
  const auto [owner_is, with_heap, count] = GetParam();
  counting_owner owner;
  frame_ceiling ceiling;
  own_heap mine;
  (*mine).trim();
  (*mine).charge_to(&ceiling);
  if (owner_is != state::has_no_owner) (*mine).owned_by(&owner);
  const std::size_t before = ceiling.held;
  const auto frames = make_frames(count);
  (*mine).trim();
  if (owner_is == state::runs) {
    free_elsewhere(frames, with_heap);
    EXPECT_TRUE((*mine).has_to_collect());
    EXPECT_EQ((*mine).live(), static_cast<std::uint64_t>(count));
    (*mine).collect();
  } else {
    const heap::rest resting(*mine);
    free_elsewhere(frames, with_heap);
    EXPECT_FALSE((*mine).has_to_collect());
    if (!poisoning && owner_is == state::has_no_owner) {
      EXPECT_EQ(ceiling.held, before);
    }
    // The owner is woken once, when a slab has become empty.
    if (!poisoning && owner_is == state::rests) {
      EXPECT_EQ(owner.wakes, 1);
    }
  }
  EXPECT_EQ((*mine).live(), 0U);
  (*mine).trim();
  if (!poisoning) {
    EXPECT_EQ(ceiling.held, before);
  }
  (*mine).owned_by(nullptr);
  (*mine).charge_to(nullptr);
  EXPECT_EQ(ceiling.held, 0U);
}

INSTANTIATE_TEST_SUITE_P(heap, freed_elsewhere,
                         testing::Combine(testing::Values(state::runs, state::rests, state::has_no_owner),
                                          testing::Bool(), testing::Values(1, 2, 20'000)));

TEST(heap_at_rest, takes_in_what_is_freed_while_it_lies_down_and_gets_up) {
  counting_owner owner;
  frame_ceiling ceiling;
  own_heap mine;
  (*mine).charge_to(&ceiling);
  (*mine).owned_by(&owner);
  constexpr int count = 50'000;
  const auto frames = make_frames(count);
  std::atomic<bool> freed = false;
  std::thread other([&] {
    for (void* each : frames) free_frame(each);
    freed = true;
  });
  while (!freed) const heap::rest resting(*mine);
  other.join();
  {
    const heap::rest resting(*mine);
  }
  EXPECT_EQ((*mine).live(), 0U);
  (*mine).owned_by(nullptr);
  (*mine).charge_to(nullptr);
}

TEST(heap_at_rest, is_freed_into_by_many_at_once) {
  own_heap mine;
  constexpr int threads = 4;
  std::vector<std::vector<void*>> frames;
  for (int i = 0; i < threads; ++i) frames.push_back(make_frames(10'000));
  {
    const heap::rest resting(*mine);
    std::vector<std::thread> others;
    for (const auto& each : frames) {
      others.emplace_back([&each] {
        for (void* frame : each) free_frame(frame);
      });
    }
    for (std::thread& each : others) each.join();
  }
  EXPECT_EQ((*mine).live(), 0U);
}

/// A second heap with the same ceiling and with spare memory; its owner runs or rests on another thread.
class neighbour {
 public:
  /// `asked`: stores, at the end, whether the heap was asked to trim.
  neighbour(frame_ceiling& ceiling, bool rests, bool* asked)
      : thread_([=, this, &ceiling] { live(ceiling, rests, *asked); }) {
    ready_.wait(false);
  }
  neighbour(const neighbour&) = delete;
  neighbour& operator=(const neighbour&) = delete;
  ~neighbour() {
    over_ = true;
    over_.notify_all();
    thread_.join();
  }

 private:
  void live(frame_ceiling& ceiling, bool rests, bool& asked) {
    own_heap its;
    (*its).charge_to(&ceiling);
    for (void* each : make_frames(5'000)) free_frame(each);
    if (rests) {
      const heap::rest resting(*its);
      be_ready();
    } else {
      be_ready();
    }
    asked = (*its).has_to_trim();
    (*its).trim();
    (*its).charge_to(nullptr);
  }
  void be_ready() {
    ready_ = true;
    ready_.notify_all();
    over_.wait(false);
  }

  std::atomic<bool> ready_ = false;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

class heap_at_ceiling : public testing::TestWithParam<bool> {};

TEST_P(heap_at_ceiling, gets_what_another_one_has_to_spare_if_that_rests_and_asks_for_it_otherwise) {
  if (poisoning) GTEST_SKIP() << "AddressSanitizer's quarantine holds back freed frames";
  const bool rests = GetParam();
  frame_ceiling ceiling;
  own_heap mine;
  (*mine).trim();
  (*mine).charge_to(&ceiling);
  bool asked = false;
  {
    const neighbour other(ceiling, rests, &asked);
    ceiling.most = ceiling.held;
    if (rests) {
      free_frame(allocate_frame(frame_bytes, 16));
    } else {
      EXPECT_THROW((void)allocate_frame(frame_bytes, 16), std::bad_alloc);
    }
  }
  EXPECT_EQ(asked, !rests);
  free_frame(allocate_frame(frame_bytes, 16));
  (*mine).charge_to(nullptr);
}

INSTANTIATE_TEST_SUITE_P(neighbour_rests, heap_at_ceiling, testing::Bool());

}  // namespace
}  // namespace tare::detail
