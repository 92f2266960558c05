#include "frame/frame_walk.hpp"

#include "frame/own_heap.hpp"
#include "frame/slab.hpp"

#include <tare/detail/frame_memory.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace tare::detail {
namespace {

/// A frame as a walk sees it. Its own address takes the place of the resume function, so that frames can be
/// distinguished.
std::byte* make_frame(std::size_t bytes) {
  auto* const frame = static_cast<std::byte*>(allocate_frame(bytes, 16));
  const std::array<const void*, 2> words{frame, frame};
  std::memcpy(frame, static_cast<const void*>(words.data()), sizeof(words));
  return frame;
}

struct collector {
  std::map<const void*, int> seen;
  std::map<const void*, std::size_t> sizes;
  int slabs = 0;

  void enter(const slab& /*of*/) noexcept { ++slabs; }
  void see(const frame_glance& frame, std::size_t bytes) {
    ++seen[frame.resume];
    sizes[frame.resume] = bytes;
  }
};

constexpr auto never = [] { return false; };
constexpr auto at_once = [] { return true; };

TEST(frame_walk, sees_frames_of_all_sizes_and_no_records) {
  own_heap mine;
  std::vector<std::byte*> frames;
  for (const std::size_t bytes : {32UL, 40UL, 1000UL, 5000UL, 8000UL, 9000UL, 70'000UL, 300'000UL}) {
    for (int i = 0; i < 5; ++i) frames.push_back(make_frame(bytes));
  }
  void* const record = allocate_record(100);
  std::memset(record, 1, 100);
  collector all;
  frame_walk walk((*mine).number());
  EXPECT_TRUE(walk.go_on(all, never));
  EXPECT_EQ(all.seen.size(), frames.size());
  for (std::byte* each : frames) {
    EXPECT_EQ(all.seen[each], 1);
    EXPECT_EQ(all.sizes[each], arena::instance().slab_of(each)->object_bytes);
    free_frame(each);
  }
  free_record(record);
  collector none;
  frame_walk again((*mine).number());
  EXPECT_TRUE(again.go_on(none, never));
  EXPECT_TRUE(none.seen.empty());
}

TEST(frame_walk, does_not_see_those_of_another_heap) {
  std::byte* const foreign = make_frame(64);
  own_heap mine;
  std::byte* const own = make_frame(64);
  collector all;
  frame_walk walk((*mine).number());
  EXPECT_TRUE(walk.go_on(all, never));
  EXPECT_EQ(all.seen.size(), 1U);
  EXPECT_EQ(all.seen[own], 1);
  free_frame(own);
  free_frame(foreign);
}

TEST(frame_walk, what_stays_is_seen_once_while_slabs_come_and_go_between_the_portions) {
  own_heap mine;
  std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): to be repeatable
  for (int round = 0; round < 20; ++round) {
    std::vector<std::byte*> stay;
    std::vector<std::byte*> go;
    const auto make_some = [&](int count) {
      for (int i = 0; i < count; ++i) go.push_back(make_frame(32 + random() % (random() % 8 == 0 ? 100'000 : 600)));
    };
    for (int i = 0; i < 200; ++i) {
      stay.push_back(make_frame(32 + random() % 600));
      make_some(10);
    }
    std::set<std::byte*> ever(go.begin(), go.end());
    collector all;
    frame_walk walk((*mine).number());
    int portions = 1;
    while (!walk.go_on(all, at_once)) {
      ++portions;
      // Many frames of a size are freed at once, so that whole slabs become free; others take their places.
      for (std::size_t left = random() % (go.size() + 1); left != 0; --left) {
        std::swap(go[random() % go.size()], go.back());
        free_frame(go.back());
        go.pop_back();
      }
      if (random() % 2 == 0) (*mine).trim();
      make_some(static_cast<int>(random() % 500));
      ever.insert(go.begin(), go.end());
    }
    EXPECT_GT(portions, 5);
    for (std::byte* each : stay) {
      EXPECT_EQ(all.seen[each], 1);
      free_frame(each);
    }
    for (std::byte* each : go) free_frame(each);
    for (const auto& [frame, times] : all.seen) {
      auto* const known = static_cast<std::byte*>(const_cast<void*>(frame));
      EXPECT_TRUE(ever.contains(known) || std::ranges::find(stay, known) != stay.end());
    }
  }
}

}  // namespace
}  // namespace tare::detail
