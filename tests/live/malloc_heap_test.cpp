// Chunks of a made-up heap.

#include "inspect/live/malloc_heap.hpp"

#include "live/made_up_memory.hpp"

#include <gtest/gtest.h>

namespace {

using namespace live_test;
using tare::inspect::chunk_state;
using tare::inspect::chunk_walk;
using tare::inspect::malloc_heap;

constexpr std::uint64_t base = 0x5000'0000;

/// Chunks of these sizes from `at` on, in words; in use, apart from those with an odd number.
void lay(std::vector<std::uint64_t>& words, std::size_t at, std::initializer_list<std::size_t> sizes) {
  bool previous_in_use = true;
  for (const auto size : sizes) {
    const bool in_use = size % 2 == 0;
    const auto length = size - size % 2;
    words[at + 1] = length * 8 | (previous_in_use ? 1U : 0U);
    previous_in_use = in_use;
    at += length;
  }
}

std::span<const std::byte> bytes_of(const std::vector<std::uint64_t>& words, std::size_t first, std::size_t count) {
  return std::as_bytes(std::span(words).subspan(first, count));
}

TEST(live_malloc_heap, tells_what_is_in_use) {
  std::vector<std::uint64_t> words(64);
  lay(words, 0, {8, 9, 16, 32});  // in use, free, in use, and the free end
  const malloc_heap heap{.where = {.begin = base, .end = base + 64 * word}};
  chunk_walk walk(heap);
  walk.feed(base, bytes_of(words, 0, 64));
  EXPECT_EQ(walk.at(base + 16), chunk_state::begins);
  EXPECT_EQ(walk.at(base + 24), chunk_state::inside);
  EXPECT_EQ(walk.at(base + 8 * word + 16), chunk_state::free);
  EXPECT_EQ(walk.at(base + 16 * word + 16), chunk_state::begins);
  EXPECT_EQ(walk.at(base + 32 * word + 16), std::nullopt) << "nothing behind it says";
  walk.finish();
  EXPECT_EQ(walk.at(base + 32 * word + 16), chunk_state::free);
  EXPECT_FALSE(walk.is_broken());
}

TEST(live_malloc_heap, is_the_same_in_blocks_of_any_size) {
  std::vector<std::uint64_t> words(256);
  lay(words, 0, {8, 64, 9, 16, 65, 32, 64});
  const malloc_heap heap{.where = {.begin = base, .end = base + 256 * word}};
  for (std::size_t block = 2; block <= 256; block += 2) {
    chunk_walk walk(heap);
    std::vector<chunk_state> states;
    std::size_t next = 0;
    const std::vector<std::size_t> asked{2, 10, 40, 74, 82, 100, 160, 170};
    for (std::size_t at = 0; at < words.size(); at += block) {
      walk.feed(base + at * 8, bytes_of(words, at, std::min(block, words.size() - at)));
      while (next < asked.size() && asked[next] < at + block) {
        const auto state = walk.at(base + asked[next] * 8);
        if (!state) break;
        states.push_back(*state);
        ++next;
      }
    }
    walk.finish();
    for (; next < asked.size(); ++next) states.push_back(walk.at(base + asked[next] * 8).value());
    EXPECT_EQ(states, (std::vector{chunk_state::begins, chunk_state::begins, chunk_state::inside, chunk_state::free,
                                   chunk_state::begins, chunk_state::free, chunk_state::free, chunk_state::inside}))
        << "in blocks of " << block << " words";
  }
}

TEST(live_malloc_heap, stops_where_sizes_make_no_sense) {
  std::vector<std::uint64_t> words(64);
  lay(words, 0, {8, 8});
  words[17] = 24 * 8 + 8;  // no multiple of 16
  const malloc_heap heap{.where = {.begin = base, .end = base + 64 * word}};
  chunk_walk walk(heap);
  walk.feed(base, bytes_of(words, 0, 64));
  EXPECT_EQ(walk.at(base + 16), chunk_state::begins);
  walk.finish();
  EXPECT_TRUE(walk.is_broken());
  EXPECT_EQ(walk.at(base + 8 * word + 16), std::nullopt);
}

TEST(live_malloc_heap, never_goes_on_from_a_size_of_nothing) {
  const std::vector<std::uint64_t> words(64, 0);
  const malloc_heap heap{.where = {.begin = base, .end = base + 64 * word}};
  chunk_walk walk(heap);
  walk.feed(base, bytes_of(words, 0, 64));
  EXPECT_TRUE(walk.is_broken());
}

TEST(live_malloc_heap, is_recognized_by_its_first_chunks) {
  made_up_memory memory;
  auto& heap = memory.add(base, 512, "[heap]");
  auto& other = memory.add(base + 0x10'0000, 512);
  lay(heap, 0, {82, 8, 8, 9, 8, 8, 8, 8, 374});
  std::ranges::fill(other, 0x7f00'0000'1234U);
  EXPECT_TRUE(tare::inspect::main_heap(memory, memory.regions()[0]));
  EXPECT_FALSE(tare::inspect::main_heap(memory, memory.regions()[1]));
}

TEST(live_malloc_heap, large_chunks_are_known_by_their_head) {
  made_up_memory memory;
  auto& words = memory.add(base, 1024);
  words[1] = std::uint64_t{8192} | 2U;
  EXPECT_TRUE(tare::inspect::mapped_chunk_bytes(memory, base + 16));
  EXPECT_FALSE(tare::inspect::mapped_chunk_bytes(memory, base + 32));
  words[1] = std::uint64_t{8192} | 1U;
  EXPECT_FALSE(tare::inspect::mapped_chunk_bytes(memory, base + 16));
}

TEST(live_malloc_heap, stacks_of_threads_are_known_by_their_descriptor) {
  made_up_memory memory;
  auto& words = memory.add(base, 1024);
  EXPECT_FALSE(tare::inspect::is_thread_stack(memory, memory.regions()[0]));
  words[900] = words[902] = base + 900 * word;
  EXPECT_TRUE(tare::inspect::is_thread_stack(memory, memory.regions()[0]));
}

}  // namespace
