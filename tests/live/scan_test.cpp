// Frames in made-up memory: which words count as one.

#include "inspect/live/scan.hpp"

#include "live/made_up_memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

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
constexpr std::uint64_t large_bytes = 300'000;

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
    outer.links = {{.name = "continuation", .offset = 16}};
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
    coroutine large = outer;
    large.linkage_name = "large";
    large.frame_bytes = large_bytes;
    large.allocated_bytes = std::nullopt;
    large.resume_address = resume + 24;
    large.destroy_address = destroy + 24;
    large.cleanup_address = cleanup + 24;
    coroutines_ = {outer, inner, odd, large};
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

constexpr std::size_t words_per_page = 4096 / word;
/// A mapped chunk with a frame of the coroutine "large" after a header of 32 bytes.
constexpr std::uint64_t large_chunk = (large_bytes + 32 + 16 + 4095) / 4096 * 4096;

TEST_F(live_scan, knows_mapped_chunks_behind_the_variables_of_a_library) {
  for (const std::size_t pages_before : {0U, 1U, 3U, 64U, 65U}) {
    memory_.forget();
    const std::size_t first = pages_before * words_per_page;
    const std::size_t second = first + large_chunk / word;
    auto& words = memory_.add(anywhere, second + large_chunk / word);
    std::fill_n(words.begin(), first, 0x1234'5678'9abcU);
    for (const std::size_t chunk : {first, second}) {
      words[chunk + 1] = large_chunk | 2U;
      put(words, chunk + 2 + 4, resume + 24, destroy + 24);
    }
    put(words, second + 1000, resume, destroy);  // an object of a pool, or left over
    const auto found = look();
    ASSERT_EQ(found.frames.size(), pages_before > 64 ? 3U : 2U) << pages_before;
    for (const auto& frame : found.frames) {
      if (frame.coroutine != 3) continue;
      EXPECT_FALSE(frame.uncertain) << pages_before;
      EXPECT_EQ(frame.bytes, large_chunk) << pages_before;
    }
    EXPECT_EQ(found.inside, pages_before > 64 ? 0U : 1U) << pages_before;
  }
}

TEST_F(live_scan, does_not_take_a_small_number_at_a_page_for_a_mapped_chunk_behind_something_else) {
  auto& words = memory_.add(anywhere, 16 * words_per_page);
  words[0] = 0x1234'5678'9abcU;
  words[words_per_page + 1] = (std::uint64_t{8} * 4096) | 2U;
  put(words, words_per_page + 100, resume, destroy);
  const auto found = look();
  ASSERT_EQ(found.frames.size(), 1U);
  EXPECT_TRUE(found.frames[0].uncertain);
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

/// Frames with a promise of six words, the last of which nobody has described, and eight words of variables behind it.
class live_scan_waiters : public live_scan {
 protected:
  static constexpr std::size_t promise = 2;    // words from a frame's beginning
  static constexpr std::size_t variables = 8;  // likewise
  live_scan_waiters() {
    coroutines_[0].frame_bytes = 128;
    coroutines_[0].promise_bytes = 48;
    coroutines_[0].index_offset.reset();
    coroutines_[0].links.clear();
  }
  /// Makes so many, 16 words apart.
  void make(std::size_t count) {
    words_ = &memory_.add(anywhere, 16 * (count + 1));
    for (std::size_t i = 0; i < count; ++i) put(*words_, 16 * i, resume, destroy);
  }
  static std::uint64_t at(std::size_t frame, std::size_t word_in_it = 0) {
    return anywhere + (16 * frame + word_in_it) * word;
  }
  std::uint64_t& of(std::size_t frame, std::size_t word_in_it) { return (*words_)[16 * frame + word_in_it]; }
  /// For each frame the number of the frame that waits for it, if any.
  std::vector<std::optional<std::size_t>> waiters() {
    std::vector<std::optional<std::size_t>> all;
    for (const auto& frame : look(true).frames) {
      all.push_back(frame.waiter == 0 ? std::nullopt : std::optional((frame.waiter - anywhere) / word / 16));
    }
    return all;
  }
  static constexpr std::nullopt_t nobody = std::nullopt;
  std::vector<std::uint64_t>* words_ = nullptr;
};

TEST_F(live_scan_waiters, are_those_that_a_word_of_the_promise_leads_into) {
  make(4);
  of(1, promise + 5) = at(0);
  of(2, promise + 3) = at(0, variables + 4);
  of(3, promise) = at(3, variables);  // into itself
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, 0, 0, nobody));
}

TEST_F(live_scan_waiters, are_not_the_others_of_a_list) {
  make(3);
  for (std::size_t i = 0; i < 3; ++i) {
    of(i, promise + 1) = at((i + 1) % 3, promise);
    of(i, promise + 2) = at((i + 2) % 3, promise);
  }
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, nobody, nobody));
  // The promise of one that holds this one among its variables.
  of(0, variables + 7) = at(1, promise);
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, 0, nobody));
}

TEST_F(live_scan_waiters, are_not_below) {
  // 0 waits for 1, and 1 for 2; each holds the next, and knows the one above. All know the lowest, too.
  for (const std::size_t down : {promise, promise + 4}) {
    const std::size_t up = promise + 2;
    make(3);
    of(0, variables) = at(1);
    of(1, variables) = at(2);
    of(1, up) = at(0);
    of(2, up) = at(1);
    of(0, down) = at(2);
    of(1, down) = at(2);
    EXPECT_THAT(waiters(), testing::ElementsAre(nobody, 0, 1)) << down;
    memory_.forget();
  }
}

TEST_F(live_scan_waiters, of_a_telling_name_go_up_all_the_same) {
  coroutines_[0].links = {{.name = "parent_or_leaf", .offset = promise * word, .telling = true}};
  make(4);
  for (std::size_t i = 0; i + 1 < 4; ++i) of(i, variables + 1) = at(i + 1, promise);
  for (std::size_t i = 1; i < 4; ++i) of(i, promise) = at(i - 1, promise);
  of(0, promise) = at(3, promise);
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, 0, 1, 2));
}

TEST_F(live_scan_waiters, end_where_nothing_says_which_way_is_up) {
  make(3);
  for (std::size_t i = 0; i < 3; ++i) of(i, promise) = at((i + 1) % 3);
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, nobody, nobody));
}

TEST_F(live_scan_waiters, of_a_telling_name_come_before_all_else) {
  coroutines_[0].links = {{.name = "scheduled", .offset = promise * word, .telling = false},
                          {.name = "continuation", .offset = (promise + 5) * word}};
  std::ranges::reverse(coroutines_[0].links);
  make(4);
  of(3, promise) = at(0);
  of(3, promise + 2) = at(1);
  of(3, promise + 5) = at(2);
  EXPECT_EQ(waiters()[3], 2);
  of(3, promise + 5) = bias;  // to no frame
  EXPECT_EQ(waiters()[3], 0);
  of(3, promise) = 0;
  EXPECT_EQ(waiters()[3], 1);
}

TEST_F(live_scan_waiters, of_what_has_not_begun_have_to_hold_it) {
  coroutines_[0].index_offset = 15 * word;
  coroutines_[0].index_bytes = 1;
  coroutines_[0].awaits.resize(2);
  coroutines_[0].awaits[0].kind = tare::inspect::suspension::initial;
  coroutines_[0].awaits[1].index = 1;
  make(2);
  of(0, 15) = 1;
  of(1, promise + 3) = at(0, variables + 2);
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, nobody)) << "it may be left over";
  of(0, variables + 3) = at(1);
  EXPECT_THAT(waiters(), testing::ElementsAre(nobody, 0));
}

}  // namespace
