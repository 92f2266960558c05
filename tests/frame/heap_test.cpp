#include "frame/heap.hpp"

#include "frame/arena.hpp"
#include "frame/own_heap.hpp"
#include "frame/poison.hpp"

#include <tare/detail/frame_memory.hpp>

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace tare::detail {
namespace {

TEST(heap, objects_of_all_sizes_are_aligned_and_do_not_overlap) {
  own_heap mine;
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): to be repeatable
  struct object {
    std::byte* memory;
    std::size_t bytes;
    std::byte fill;
  };
  std::vector<object> live;
  for (int step = 0; step < 30'000; ++step) {
    if (live.empty() || random() % 5 < 3) {
      const std::size_t bytes = 1 + random() % (std::size_t{1} << (random() % 18));
      const std::size_t alignment = std::size_t{1} << (3 + random() % 4);
      auto* memory = static_cast<std::byte*>(allocate_frame(bytes, alignment));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0U);
      const auto fill = static_cast<std::byte>(random());
      std::memset(memory, static_cast<int>(fill), bytes);
      live.push_back({memory, bytes, fill});
    } else {
      std::swap(live[random() % live.size()], live.back());
      const object freed = live.back();
      live.pop_back();
      for (std::size_t i = 0; i < freed.bytes; ++i) ASSERT_EQ(freed.memory[i], freed.fill);
      free_frame(freed.memory);
    }
  }
  for (const object& each : live) free_frame(each.memory);
}

TEST(heap, gives_memory_back_when_all_is_freed) {
  own_heap mine;
  const std::size_t before = (*mine).held_bytes();
  std::vector<void*> frames(100'000);
  for (void*& each : frames) each = allocate_frame(40, 16);
  EXPECT_GE((*mine).held_bytes() - before, frames.size() * 40);
  for (void* each : frames) free_frame(each);
  (*mine).trim();
  if (!poisoning) {
    EXPECT_LE((*mine).held_bytes(), before + slab_bytes);
  }
}

/// The number of resident pages in free slabs.
std::size_t resident_pages_of_free_slabs() {
  constexpr std::size_t page_bytes = 4096;
  arena& memory = arena::instance();
  std::size_t resident = 0;
  for (std::size_t number = 1; number < memory.slab_number_end();) {
    const slab& each = memory.slab_number(number);
    if (each.object_bytes == 0) {
      std::array<unsigned char, slab_bytes / page_bytes> pages{};
      EXPECT_EQ(::mincore(memory.start_of(&each), slab_bytes, pages.data()), 0);
      resident += static_cast<std::size_t>(std::ranges::count_if(pages, [](auto page) { return (page & 1U) != 0; }));
    }
    number += std::max<std::size_t>(each.run, 1);
  }
  return resident;
}

TEST(heap, makes_pages_in_advance_only_while_it_grows) {
  if (poisoning) GTEST_SKIP() << "the redzones and the quarantine use pages too";
  own_heap mine;
  std::vector<void*> frames(300'000);
  std::size_t in_advance = 0;
  for (void*& each : frames) {
    each = allocate_frame(40, 16);
    if (&each - frames.data() == 250'000) in_advance = resident_pages_of_free_slabs();
  }
  EXPECT_GT(in_advance, 0U);  // the unused part of an area
  arena::instance().trim();
  EXPECT_EQ(resident_pages_of_free_slabs(), 0U);
  for (void* each : frames) free_frame(each);
  (*mine).trim();
  EXPECT_EQ(resident_pages_of_free_slabs(), 0U);
}

TEST(heap, takes_in_what_other_threads_free) {
  own_heap mine;
  const std::uint64_t live_before = (*mine).live();
  constexpr int rounds = 50;
  for (int round = 0; round < rounds; ++round) {
    std::array<std::vector<void*>, 3> shares;
    for (int i = 0; i < 900; ++i) shares.at(static_cast<std::size_t>(i) % 3).push_back(allocate_frame(64, 16));
    std::vector<std::thread> others;
    others.reserve(shares.size());
    for (auto& share : shares) {
      others.emplace_back([&share] {
        for (void* each : share) free_frame(each);
      });
    }
    // Meanwhile the owner continues.
    for (int i = 0; i < 300; ++i) {
      free_frame(allocate_frame(64, 16));
      (*mine).collect();
    }
    for (std::thread& each : others) each.join();
    (*mine).collect();
    ASSERT_EQ((*mine).live(), live_before);
  }
}

TEST(heap, large_frames_come_and_go) {
  own_heap mine;
  const std::size_t before = (*mine).held_bytes();
  for (const std::size_t bytes : {std::size_t{10'000}, std::size_t{65'536}, std::size_t{5'000'000}}) {
    void* memory = allocate_frame(bytes, 16);
    std::memset(memory, 1, bytes);
    free_frame(memory);
  }
  (*mine).trim();
  if (!poisoning) {
    EXPECT_LE((*mine).held_bytes(), before + slab_bytes);
  }
}

TEST(heap, large_frames_are_made_again_without_the_system) {
  own_heap mine;
  // Like a child that is called repeatedly, for every size up to 2 MiB.
  for (std::size_t bytes = 4096; bytes <= std::size_t{2} << 20U; bytes += bytes / 3) {
    void* first = allocate_frame(bytes, 16);
    std::memset(first, 1, bytes);
    free_frame(first);
    for (int call = 0; call < 3; ++call) {
      void* again = allocate_frame(bytes, 16);
      if (!poisoning) {
        EXPECT_EQ(again, first) << bytes;
        // What was written is still there, so the pages were not returned in the meantime.
        EXPECT_EQ(static_cast<const unsigned char*>(again)[bytes / 2], 1U) << bytes;
      }
      free_frame(again);
    }
    (*mine).trim();
  }
}

TEST(heap, frames_up_to_32_kib_share_slabs) {
  own_heap mine;
  for (const std::size_t bytes : {std::size_t{8193}, std::size_t{16'384}, std::size_t{30'000}}) {
    std::vector<void*> frames;
    std::set<const slab*> slabs;
    for (int i = 0; i < 100; ++i) {
      frames.push_back(allocate_frame(bytes, 16));
      slabs.insert(arena::instance().slab_of(frames.back()));
    }
    EXPECT_LE(slabs.size(), 51U) << bytes;
    for (void* each : frames) free_frame(each);
  }
}

TEST(heap, what_is_kept_goes_before_an_allocation_fails) {
  frame_ceiling ceiling;
  own_heap mine;
  // AddressSanitizer's quarantine holds back freed frames, and they count.
  (*mine).trim();
  ceiling.most = (*mine).held_bytes() + (std::size_t{poisoning ? 4 : 1} << 20U);
  (*mine).charge_to(&ceiling);
  const std::size_t before = ceiling.held;
  for (const std::size_t bytes : {std::size_t{400'000}, std::size_t{500'000}, std::size_t{600'000}}) {
    free_frame(allocate_frame(bytes, 16));
  }
  if (!poisoning) {
    void* almost_all = allocate_frame(900'000, 16);
    EXPECT_THROW((void)allocate_frame(400'000, 16), std::bad_alloc);
    free_frame(almost_all);
  }
  (*mine).trim();
  if (!poisoning) {
    EXPECT_EQ(ceiling.held, before);
  }
  (*mine).charge_to(nullptr);
}

TEST(heap, a_frame_of_four_gib_is_charged_and_discharged_alike) {
  own_heap mine;
  (*mine).trim();
  const std::size_t before = (*mine).held_bytes();
  // The memory is not touched, so no page becomes resident.
  for (const std::size_t bytes :
       {(std::size_t{4} << 30U) - 100, std::size_t{4} << 30U, (std::size_t{4} << 30U) + 100}) {
    try {
      void* frame = allocate_frame(bytes, 16);
      EXPECT_GE((*mine).held_bytes(), before + bytes);
      free_frame(frame);
    } catch (const std::bad_alloc&) {
      GTEST_SKIP() << "the address space is limited";
    }
    if (!poisoning) {
      EXPECT_EQ((*mine).held_bytes(), before) << bytes;
    }
  }
}

TEST(heap_death_test, use_of_a_freed_frame_is_reported) {
  if (!poisoning) GTEST_SKIP() << "needs AddressSanitizer";
  EXPECT_DEATH(
      {
        own_heap mine;
        auto* memory = static_cast<volatile char*>(allocate_frame(64, 16));
        free_frame(const_cast<char*>(memory));
        memory[40] = 1;
      },
      "use-after-poison");
}

}  // namespace
}  // namespace tare::detail
