// Boxes of futures in made-up memory: which pairs of words count as one.

#include "inspect/live/rust_roots.hpp"

#include "live/made_up_memory.hpp"

#include <gtest/gtest.h>

namespace {

using namespace live_test;
using tare::inspect::coroutine;
using tare::inspect::field_kind;
using tare::inspect::producer;
using tare::inspect::rust_roots;
using tare::inspect::vtable_index;

constexpr std::uint64_t bias = 0x5555'0000'0000;
constexpr std::uint64_t of_holder = 0x3000;
constexpr std::uint64_t of_other = 0x3020;
constexpr std::uint64_t of_unknown = 0x3040;
constexpr std::uint64_t heap = 0x5556'0000'0000;
constexpr std::uint64_t anywhere = 0x7000'0000'0000;

constexpr std::uint64_t unstarted = 0;
constexpr std::uint64_t returned = 1;
constexpr std::uint64_t panicked = 2;
constexpr std::uint64_t first_await = 3;

class live_rust_roots : public testing::Test {
 protected:
  live_rust_roots() {
    // Its state is in its first word, at its await there is a box in the last two of its five words.
    coroutine holder;
    holder.name = "holder";
    holder.made_by = producer::rustc;
    holder.frame_bytes = 40;
    holder.index_offset = 0;
    holder.index_bytes = 1;
    holder.awaits.resize(2);
    holder.awaits[1].index = first_await;
    auto& awaited = holder.awaits[1].variables.emplace_back();
    awaited.offset = 24;
    awaited.bytes = 16;
    awaited.kind = field_kind::awaiter;
    coroutine other = holder;
    other.name = "other";
    coroutine unknown;
    unknown.name = "no async function";
    unknown.made_by = producer::rustc;
    unknown.frame_bytes = 24;
    coroutines_ = {holder, other, unknown};
    known_.add(
        std::vector<tare::inspect::future_vtable>{{.address = of_unknown, .coroutine = 2, .bytes = 24, .alignment = 8},
                                                  {.address = of_holder, .coroutine = 0, .bytes = 40, .alignment = 8},
                                                  {.address = of_other, .coroutine = 1, .bytes = 40, .alignment = 8}},
        0, bias);
    known_.finish();
  }

  rust_roots look(bool waiters = false) {
    return tare::inspect::find_rust_roots(memory_, known_, coroutines_, {}, {.waiters = waiters});
  }
  static void put(std::vector<std::uint64_t>& words, std::size_t at, std::uint64_t future, std::uint64_t vtable) {
    words[at] = future;
    words[at + 1] = bias + vtable;
  }
  /// A heap of chunks of eight words, all of them in use: chunk `i` has its object at word 8 * i + 2.
  std::vector<std::uint64_t>& add_heap() {
    auto& words = memory_.add(heap, chunks * 8, "[heap]");
    for (std::size_t i = 0; i < chunks; ++i) words[i * 8 + 1] = 64 | 1U;
    // What is in use has no list in its first words.
    for (std::size_t i = 0; i < chunks; ++i) words[i * 8 + 2] = unstarted;
    return words;
  }
  static std::uint64_t object(std::size_t i) { return heap + i * 64 + 16; }
  static void free(std::vector<std::uint64_t>& words, std::size_t i) { words[(i + 1) * 8 + 1] &= ~std::uint64_t{1}; }

  static constexpr std::size_t chunks = 64;
  made_up_memory memory_;
  std::vector<coroutine> coroutines_;
  vtable_index known_;
};

TEST_F(live_rust_roots, are_found_by_pairs_that_lead_to_them_once_each) {
  auto& words = memory_.add(anywhere, 512);
  words[100] = first_await;
  put(words, 10, anywhere + 800, of_holder);
  put(words, 20, anywhere + 800, of_holder);
  put(words, 31, anywhere + 1600, of_unknown);
  put(words, 510, anywhere + 2400, of_other);  // at the very end
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 3U);
  EXPECT_EQ(found.futures[0].address, anywhere + 800);
  EXPECT_EQ(found.futures[0].coroutine, 0U);
  EXPECT_EQ(found.futures[0].index, first_await);
  EXPECT_EQ(found.futures[0].bytes, 40U);
  EXPECT_TRUE(found.futures[0].uncertain) << "nobody knows this allocator";
  EXPECT_EQ(found.futures[1].coroutine, 2U);
  EXPECT_EQ(found.futures[2].index, unstarted);
  EXPECT_EQ(found.scanned_bytes, 4096U);
}

TEST_F(live_rust_roots, are_not_what_leads_nowhere) {
  auto& words = memory_.add(anywhere, 512);
  auto& stack = memory_.add(anywhere + 0x10'0000, 512, "[stack]");
  memory_.set_stack(anywhere + 0x10'0000, anywhere + 0x10'1000);
  memory_.add(anywhere + 0x20'0000, 512, "/usr/lib/library.so");
  stack[0] = 0;
  put(words, 10, 0, of_holder);
  put(words, 20, anywhere + 801, of_holder);        // not aligned
  put(words, 30, 8, of_holder);                     // what Rust has for nothing
  put(words, 40, anywhere + 0x5000, of_holder);     // not mapped
  put(words, 50, anywhere + 4096 - 32, of_holder);  // longer than what is mapped
  put(words, 60, ~std::uint64_t{7}, of_holder);     // at the end of all addresses
  put(words, 70, anywhere + 0x10'0100, of_holder);  // on a stack
  put(words, 80, anywhere + 0x20'0100, of_holder);  // in a file
  put(words, 90, anywhere + 800, of_holder + 8);    // no vtable
  words[0] = bias + of_holder;                      // nothing in front of it
  EXPECT_TRUE(look().futures.empty());
}

TEST_F(live_rust_roots, are_not_at_null_even_if_a_file_says_that_memory_is_there) {
  auto& words = memory_.add(0, 512);
  put(words, 10, 0, of_holder);
  EXPECT_TRUE(look().futures.empty());
}

TEST_F(live_rust_roots, are_held_on_stacks_too) {
  auto& words = memory_.add(anywhere, 512);
  words[100] = first_await;
  auto& stack = memory_.add(anywhere + 0x10'0000, 512, "[stack]");
  memory_.set_stack(anywhere + 0x10'0000 + 0x640, anywhere + 0x10'1000);
  put(stack, 100, anywhere + 1600, of_holder);  // left over
  put(stack, 300, anywhere + 800, of_holder);
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 1U);
  EXPECT_EQ(found.futures[0].address, anywhere + 800);
}

TEST_F(live_rust_roots, are_found_across_two_blocks) {
  constexpr std::size_t block = 256 * 1024 / 8;
  auto& words = memory_.add(anywhere, 3 * block);
  put(words, block - 1, anywhere + 800, of_holder);
  put(words, 2 * block - 2, anywhere + 1600, of_holder);
  put(words, 2 * block, anywhere + 2400, of_holder);
  EXPECT_EQ(look().futures.size(), 3U);
}

TEST_F(live_rust_roots, are_left_out_when_they_are_done) {
  auto& words = memory_.add(anywhere, 512);
  words[100] = returned;
  words[200] = panicked;
  words[300] = 77;  // no state that it has
  put(words, 10, anywhere + 800, of_holder);
  put(words, 12, anywhere + 800, of_holder);
  put(words, 20, anywhere + 1600, of_holder);
  put(words, 30, anywhere + 2400, of_holder);
  const auto found = look();
  EXPECT_TRUE(found.futures.empty());
  EXPECT_EQ(found.done, 2U);
  EXPECT_EQ(found.freed, 1U);
}

TEST_F(live_rust_roots, in_a_heap_have_chunks_of_their_own) {
  auto& words = add_heap();
  auto& boxes = memory_.add(anywhere, 512);
  put(boxes, 10, object(4), of_holder);       // in use
  put(boxes, 12, object(8), of_holder);       // free
  put(boxes, 14, object(12) + 8, of_holder);  // inside
  put(boxes, 16, object(16), of_unknown);     // longer than malloc would have made it, but not by much
  words[20 * 8 + 1] = 128 | 1U;
  put(boxes, 18, object(20), of_unknown);  // much longer
  words[24 * 8 + 1] = 32 | 1U;
  words[24 * 8 + 5] = 32 | 1U;
  put(boxes, 20, object(24), of_holder);  // too short
  free(words, 8);
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 2U);
  EXPECT_EQ(found.futures[0].address, object(4));
  EXPECT_EQ(found.futures[0].bytes, 64U) << "as malloc has rounded it";
  EXPECT_FALSE(found.futures[0].uncertain);
  EXPECT_EQ(found.futures[1].address, object(16));
  EXPECT_EQ(found.freed, 3U);
  EXPECT_FALSE(found.heap_changed);
}

TEST_F(live_rust_roots, are_not_what_malloc_keeps_for_the_next) {
  auto& words = add_heap();
  auto& boxes = memory_.add(anywhere, 512);
  const auto leads_to = [&](std::size_t i, std::uint64_t next) { words[i * 8 + 2] = next ^ (object(i) >> 12U); };
  leads_to(4, object(8));         // as a thread's list
  leads_to(8, 0);                 // its end
  leads_to(12, object(16) - 16);  // as an arena's list
  leads_to(20, object(24) + 16);  // to nothing
  for (const std::size_t i : {4U, 8U, 12U, 20U}) put(boxes, 2 * i, object(i), of_unknown);
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 1U);
  EXPECT_EQ(found.futures[0].address, object(20));
  EXPECT_EQ(found.freed, 3U);
}

TEST_F(live_rust_roots, are_not_held_by_boxes_in_freed_memory) {
  auto& words = add_heap();
  put(words, 8 * 8 + 4, object(4), of_holder);
  put(words, 12 * 8 + 4, object(4 + 1), of_holder);
  free(words, 8);
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 1U);
  EXPECT_EQ(found.futures[0].address, object(5));
}

TEST_F(live_rust_roots, are_found_where_the_heap_cannot_be_followed) {
  auto& words = add_heap();
  auto& boxes = memory_.add(anywhere, 512);
  words[20 * 8 + 1] = 3;  // no size
  put(boxes, 10, object(4), of_holder);
  put(boxes, 12, object(30), of_holder);
  put(boxes, 14, object(40), of_holder);
  put(boxes, 16, object(50) + 8, of_holder);
  free(words, 40);
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 2U);
  EXPECT_EQ(found.futures[1].address, object(30));
  EXPECT_TRUE(found.heap_changed);
}

TEST_F(live_rust_roots, may_be_of_one_type_only) {
  auto& words = memory_.add(anywhere, 512);
  put(words, 10, anywhere + 800, of_holder);
  put(words, 20, anywhere + 800, of_other);
  const auto found = look();
  ASSERT_EQ(found.futures.size(), 1U);
  EXPECT_EQ(found.ambiguous, 1U);
}

TEST_F(live_rust_roots, wait_for_the_box_that_they_await) {
  auto& words = memory_.add(anywhere, 512);
  put(words, 10, anywhere + 800, of_holder);
  words[100] = first_await;
  put(words, 103, anywhere + 1600, of_other);  // in what it awaits
  words[200] = first_await;
  put(words, 201, anywhere + 2400, of_other);  // elsewhere in it
  words[300] = first_await;
  put(words, 303, anywhere + 2400, of_other);  // itself
  const auto found = look(true);
  ASSERT_EQ(found.futures.size(), 3U);
  EXPECT_EQ(found.futures[0].waiter, 0U);
  EXPECT_EQ(found.futures[1].waiter, anywhere + 800);
  EXPECT_EQ(found.futures[2].waiter, 0U);
  EXPECT_EQ(look(false).futures[1].waiter, 0U);
}

}  // namespace
