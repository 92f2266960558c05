// Frames in made-up memory: which words count as one.

#include "inspect/live/scan.hpp"

#include "live/made_up_memory.hpp"

#include <gtest/gtest.h>

namespace {

using namespace live_test;
using tare::inspect::coroutine;
using tare::inspect::found_frames;
using tare::inspect::frame_index;
using tare::inspect::producer;

constexpr std::uint64_t bias = 0x5555'0000'0000;
constexpr std::uint64_t resume = 0x1000;
constexpr std::uint64_t destroy = 0x1100;
constexpr std::uint64_t cleanup = 0x1200;
constexpr std::uint64_t anywhere = 0x7000'0000'0000;

class live_scan : public testing::Test {
 protected:
  live_scan() {
    coroutine outer;
    outer.linkage_name = "outer";
    outer.frame_bytes = 96;
    outer.allocated_bytes = 112;
    outer.resume_address = resume;
    outer.destroy_address = destroy;
    outer.cleanup_address = cleanup;
    outer.index_offset = 24;
    outer.index_bytes = 1;
    outer.links = {{.name = "continuation", .offset = 16, .to_promise = false}};
    coroutine inner = outer;
    inner.linkage_name = "inner";
    inner.frame_bytes = 32;
    inner.resume_address = resume + 8;
    inner.destroy_address = destroy + 8;
    inner.cleanup_address = cleanup + 8;
    coroutine odd = outer;
    odd.linkage_name = "of g++";
    odd.made_by = producer::gcc;
    odd.resume_address = resume + 16;
    odd.destroy_address = destroy + 16;
    odd.cleanup_address = 0;
    coroutines_ = {outer, inner, odd};
    index_.add(coroutines_, 0, bias);
    index_.finish();
  }

  found_frames look(bool waiters = false, bool pools = false) {
    return tare::inspect::scan(memory_, index_, coroutines_, {}, {.waiters = waiters, .pools = pools});
  }
  static void put(std::vector<std::uint64_t>& words, std::size_t at, std::uint64_t first, std::uint64_t second) {
    words[at] = first == 0 ? 0 : bias + first;
    words[at + 1] = bias + second;
  }

  made_up_memory memory_;
  std::vector<coroutine> coroutines_;
  frame_index index_;
};

TEST_F(live_scan, finds_pairs_and_nothing_else) {
  auto& words = memory_.add(anywhere, 512);
  put(words, 10, resume, destroy);
  words[13] = 5;                         // the index
  put(words, 50, resume, destroy + 8);   // of two coroutines
  put(words, 60, destroy, resume);       // the other way round
  words[70] = bias + resume;             // alone
  put(words, 511 - 1, resume, destroy);  // at the very end
  const auto found = look();
  ASSERT_EQ(found.frames.size(), 2U);
  EXPECT_EQ(found.frames[0].address, anywhere + 80);
  EXPECT_EQ(found.frames[0].coroutine, 0U);
  EXPECT_EQ(found.frames[0].index, 5U);
  EXPECT_EQ(found.frames[0].bytes, 112U);
  EXPECT_TRUE(found.frames[0].uncertain) << "nobody knows this allocator";
  EXPECT_EQ(found.frames[1].address, anywhere + 510 * word);
}

TEST_F(live_scan, finds_what_lies_across_two_blocks) {
  constexpr std::size_t block = 256 * 1024 / 8;
  auto& words = memory_.add(anywhere, 3 * block);
  put(words, block - 1, resume, destroy);
  put(words, 2 * block - 2, resume + 8, destroy + 8);
  put(words, 2 * block, resume, destroy);
  EXPECT_EQ(look().frames.size(), 3U);
}

TEST_F(live_scan, does_not_take_a_null_for_an_ended_frame_where_lists_may_be) {
  auto& words = memory_.add(anywhere, 64);
  put(words, 10, 0, destroy);
  const auto found = look();
  EXPECT_TRUE(found.frames.empty());
  EXPECT_EQ(found.inside, 1U);
}

TEST_F(live_scan, leaves_out_what_gcc_has_marked_as_destroyed) {
  auto& words = memory_.add(anywhere, 64);
  put(words, 10, resume + 16, destroy + 16);
  words[13] = 3;
  put(words, 30, resume + 16, destroy + 16);
  words[33] = 4;
  const auto found = look();
  ASSERT_EQ(found.frames.size(), 1U);
  EXPECT_EQ(found.frames[0].index, 4U);
  EXPECT_EQ(found.freed, 1U);
}

TEST_F(live_scan, takes_merged_frames_only_inside_of_others) {
  auto& words = memory_.add(anywhere, 64);
  put(words, 10, resume, destroy);
  put(words, 15, resume + 8, cleanup + 8);  // in it
  put(words, 40, resume + 8, cleanup + 8);  // in nothing
  const auto found = look(true);
  ASSERT_EQ(found.frames.size(), 2U);
  EXPECT_TRUE(found.frames[1].merged);
  EXPECT_EQ(found.frames[1].bytes, 0U);
  EXPECT_EQ(found.frames[1].waiter, found.frames[0].address);
}

TEST_F(live_scan, takes_merged_frames_only_where_the_outer_frame_has_a_place_for_them) {
  coroutines_[0].fields = {{.name = "inner", .type = {}, .offset = 48, .bytes = 32}};
  auto& words = memory_.add(anywhere, 64);
  put(words, 10, resume, destroy);
  put(words, 14, resume + 8, cleanup + 8);  // 32 bytes from the beginning
  put(words, 30, resume, destroy);
  put(words, 36, resume + 8, cleanup + 8);  // 48 bytes
  const auto found = look();
  ASSERT_EQ(found.frames.size(), 3U);
  EXPECT_EQ(found.frames[2].address, anywhere + 36 * word);
}

TEST_F(live_scan, leaves_out_a_merged_frame_that_has_ended) {
  auto& words = memory_.add(anywhere, 64);
  put(words, 10, resume, destroy);
  put(words, 15, 0, cleanup + 8);
  EXPECT_EQ(look().frames.size(), 1U);
}

TEST_F(live_scan, takes_from_stacks_what_is_above_the_stack_pointer) {
  auto& words = memory_.add(anywhere, 512, "[stack]");
  put(words, 100, resume, cleanup);  // left over
  put(words, 300, resume, cleanup);
  put(words, 400, resume, destroy);  // no frame on a stack is destroyed by freeing it
  memory_.set_stack(anywhere + 200 * word, anywhere + 512 * word);
  const auto found = look();
  ASSERT_EQ(found.frames.size(), 1U);
  EXPECT_EQ(found.frames[0].address, anywhere + 300 * word);
}

TEST_F(live_scan, does_not_look_at_a_stack_whose_pointer_is_not_known) {
  auto& words = memory_.add(anywhere, 512, "[stack]");
  put(words, 300, resume, cleanup);
  EXPECT_TRUE(look().frames.empty());
}

TEST_F(live_scan, tells_the_frames_of_a_heap_from_freed_ones) {
  auto& words = memory_.add(anywhere, 512, "[heap]");
  const auto chunk = [&](std::size_t at, std::size_t length, bool previous_in_use) {
    words[at + 1] = length * 8 | (previous_in_use ? 1U : 0U);
  };
  chunk(0, 14, true);
  put(words, 2, resume, destroy);  // in use
  chunk(14, 14, true);
  put(words, 16, resume, destroy);  // free, as the next says
  chunk(28, 60, false);
  put(words, 40, resume, destroy);  // in use, but inside of something else
  chunk(88, 424, true);
  put(words, 90, resume, destroy);  // the heap's free end
  const auto found = look();
  ASSERT_EQ(found.frames.size(), 1U);
  EXPECT_EQ(found.frames[0].address, anywhere + 16);
  EXPECT_FALSE(found.frames[0].uncertain);
  EXPECT_EQ(found.freed, 2U);
  EXPECT_EQ(found.inside, 1U);

  const auto with_pools = look(false, true);
  ASSERT_EQ(with_pools.frames.size(), 2U);
  EXPECT_TRUE(with_pools.frames[1].uncertain);
}

TEST_F(live_scan, follows_typed_links_and_not_to_the_frame_itself) {
  auto& words = memory_.add(anywhere, 128);
  put(words, 10, resume, destroy);
  words[12] = anywhere + 50 * word;
  put(words, 50, resume, destroy);
  words[52] = anywhere + 50 * word;  // itself
  const auto found = look(true);
  ASSERT_EQ(found.frames.size(), 2U);
  EXPECT_EQ(found.frames[0].waiter, anywhere + 50 * word);
  EXPECT_EQ(found.frames[1].waiter, 0U);
}

}  // namespace
