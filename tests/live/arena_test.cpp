// The walk of this library's arena over inconsistent memory.

#include "inspect/live/arena.hpp"

#include "live/made_up_memory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace {

using namespace live_test;

using tare::inspect::arena;
using tare::inspect::found_frames;
using tare::inspect::frame_index;

constexpr std::uint64_t frames_at = 0x7000'0000'0000;
constexpr std::uint64_t table_at = 0x7100'0000'0000;
constexpr std::uint32_t slab_bytes = 65536;
constexpr std::uint32_t entry_bytes = 64;
constexpr std::uint64_t slabs = 4;

/// The real arena of this program, moved to the address of the test's memory.
tare::abi::arena description() {
  tare::abi::arena abi = tare::abi::this_arena;
  abi.base = frames_at;
  abi.table = table_at;
  abi.slabs = slabs;
  return abi;
}

class live_arena : public testing::Test {
 protected:
  void describe(std::size_t slab, std::uint32_t object_bytes, std::uint32_t handed_out) {
    auto* entry = reinterpret_cast<std::byte*>(table_.data()) + slab * entry_bytes;
    const tare::abi::arena real = description();
    const auto put = [&](std::uint16_t at, std::uint32_t number) { std::memcpy(entry + at, &number, sizeof number); };
    const std::uint32_t capacity = slab_bytes / object_bytes;
    put(real.object_bytes_at, object_bytes);
    put(real.capacity_at, capacity);
    put(real.fresh_at, capacity - handed_out);
    entry[real.use_at] = static_cast<std::byte>(real.use_frames);
  }

  found_frames walk() {
    found_frames found;
    std::vector<std::string> notes;
    if (auto opened = arena::open(memory_, abi_, notes)) opened->walk(frame_index(), {}, true, found);
    return found;
  }

  tare::abi::arena abi_ = description();
  made_up_memory memory_;
  std::vector<std::uint64_t>& frames_ = memory_.add(frames_at, slabs* slab_bytes / 8);
  std::vector<std::uint64_t>& table_ = memory_.add(table_at, slabs* entry_bytes / 8);
};

TEST_F(live_arena, takes_what_is_not_marked_as_free) {
  describe(1, 64, 10);
  for (std::size_t i = 0; i < 20; ++i) frames_[slab_bytes / 8 + i * 8 + 1] = i % 2 == 0 ? 0x1234 : 0;
  const auto found = walk();
  ASSERT_EQ(found.frames.size(), 5U) << "ten were handed out, every other of them is free";
  EXPECT_EQ(found.frames[1].address, frames_at + slab_bytes + 128);
  EXPECT_EQ(found.frames[1].bytes, 64U);
}

TEST_F(live_arena, finds_who_waits) {
  describe(1, 64, 2);
  const std::size_t parent = slab_bytes / 8;
  const std::size_t child = parent + 8;
  frames_[parent + 1] = frames_[child + 1] = 0x1234;
  const auto link = static_cast<std::uint32_t>((slab_bytes + abi_.promise_at) / abi_.link_unit);
  std::memcpy(reinterpret_cast<std::byte*>(frames_.data()) + child * 8 + abi_.parent_at, &link, sizeof link);
  const auto found = walk();
  ASSERT_EQ(found.frames.size(), 2U);
  EXPECT_EQ(found.frames[0].waiter, 0U);
  EXPECT_EQ(found.frames[1].waiter, found.frames[0].address);
}

TEST_F(live_arena, of_another_version_is_reported) {
  std::vector<std::string> notes;
  abi_.version = 99;
  EXPECT_FALSE(arena::open(memory_, abi_, notes));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes[0], testing::HasSubstr("version 99"));
}

TEST_F(live_arena, that_was_not_made_yet_is_none) {
  std::vector<std::string> notes;
  abi_.base = 0;
  EXPECT_FALSE(arena::open(memory_, abi_, notes));
  abi_ = description();
  abi_.magic[0] = 'T';
  EXPECT_FALSE(arena::open(memory_, abi_, notes));
  EXPECT_TRUE(notes.empty());
}

TEST_F(live_arena, that_lies_does_no_harm) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 400; ++round) {
    abi_ = description();
    // Numbers of any size in the description, the table and the frames.
    auto* bytes = reinterpret_cast<std::byte*>(&abi_);
    if (round % 4 == 0) bytes[16 + random() % (sizeof abi_ - 16)] = static_cast<std::byte>(random());
    for (auto& word : table_) word = random() % 3 == 0 ? random() : random() % 512;
    for (std::size_t i = 0; i < frames_.size(); i += 1 + random() % 4) frames_[i] = random();
    for (std::size_t slab = 0; slab < slabs; ++slab) {
      if (random() % 2 == 0) describe(slab, static_cast<std::uint32_t>(16U << random() % 6), 100);
    }
    const auto found = walk();
    EXPECT_LE(found.frames.size(), slabs * slab_bytes / 16);
    for (const auto& frame : found.frames) EXPECT_EQ(frame.waiter % 8, 0U);
  }
}

}  // namespace
