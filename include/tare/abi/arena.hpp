#pragma once

// What tools that look at a process from outside, or at its core file, need to know of the frame arena: a plain
// structure in the program's section `.tare.arena`, written when the arena is made and when it grows. Nothing else is
// ever done for them.
//
// Whoever reads it checks `magic`, `version` and `bytes` first, and trusts none of the rest.

#include <array>
#include <cstdint>

namespace tare::abi {

struct arena {
  static constexpr std::array<char, 8> expected_magic{'t', 'a', 'r', 'e', 'A', 'B', 'I', '\0'};
  static constexpr std::uint32_t current_version = 1;

  std::array<char, 8> magic = expected_magic;
  std::uint32_t version = current_version;
  std::uint32_t bytes = 0;  ///< of this structure

  std::uint64_t base = 0;   ///< where links count from; 0 until the arena is made
  std::uint64_t table = 0;  ///< the slabs' descriptions
  std::uint64_t slabs = 0;  ///< how many of them may have been in use so far
  std::uint32_t link_unit = 0;
  std::uint32_t slab_bytes = 0;
  std::uint32_t slab_entry_bytes = 0;

  // Where in a slab's description the 32-bit numbers are, and the byte that says what it is for.
  std::uint16_t object_bytes_at = 0;
  std::uint16_t fresh_at = 0;  ///< objects never handed out: the last so many
  std::uint16_t capacity_at = 0;
  std::uint16_t run_at = 0;  ///< slabs in a row that belong to a large object; 0: not a large one
  std::uint16_t use_at = 0;
  std::uint8_t use_frames = 0;
  std::uint8_t use_large_frame = 0;

  // Where in a frame it says who is told when it ends: a link, and two bits that say to what.
  std::uint16_t parent_at = 0;
  std::uint16_t parent_kind_at = 0;
  std::uint8_t parent_kind_shift = 0;
  std::uint8_t parent_is_frame = 0;   ///< the link is to where its promise begins
  std::uint8_t parent_is_scope = 0;   ///< to a slot in a record aligned to its size, whose first word is the scope
  std::uint8_t parent_is_branch = 0;  ///< to a branch, which lies in the frame of whoever waits, or in a record
  std::uint16_t promise_at = 0;
  std::uint16_t group_of_branch_at = 0;     ///< of one in a record: the address of what waits, in its frame
  std::uint16_t parent_of_stand_in_at = 0;  ///< where no group's address is: as `parent_at`, counted from the branch
  std::uint16_t owner_of_node_at = 0;       ///< of a scope or group: the link to the promise of who joins it
};

/// The program's own.
extern constinit arena this_arena;

}  // namespace tare::abi
