#pragma once

// What tools that inspect a process from outside, or its core file, need to know about the frame arena: a plain
// structure in the program's section `.tare.arena`, written when the arena is made and when it grows. The library does
// nothing else for them.
//
// A reader must check `magic`, `version` and `bytes` first, and must not trust the rest.

#include <array>
#include <cstdint>

namespace tare::abi {

struct arena {
  static constexpr std::array<char, 8> expected_magic{'t', 'a', 'r', 'e', 'A', 'B', 'I', '\0'};
  static constexpr std::uint32_t current_version = 1;

  std::array<char, 8> magic = expected_magic;
  std::uint32_t version = current_version;
  std::uint32_t bytes = 0;  ///< of this structure

  std::uint64_t base = 0;   ///< the address that links are relative to; 0 until the arena is made
  std::uint64_t table = 0;  ///< the slab descriptions
  std::uint64_t slabs = 0;  ///< how many of them may have been in use so far
  std::uint32_t link_unit = 0;
  std::uint32_t slab_bytes = 0;
  std::uint32_t slab_entry_bytes = 0;

  // Offsets in a slab description of the 32-bit numbers, and of the byte that says what the slab is used for.
  std::uint16_t object_bytes_at = 0;
  std::uint16_t fresh_at = 0;  ///< number of objects, at the end, that have never been allocated
  std::uint16_t capacity_at = 0;
  std::uint16_t run_at = 0;  ///< number of consecutive slabs that form a large object; 0: not a large object
  std::uint16_t use_at = 0;
  std::uint8_t use_frames = 0;
  std::uint8_t use_large_frame = 0;

  // Offsets in a frame of the link to its parent, which is resumed or notified when the frame ends, and of the two bits
  // that say what the parent is.
  std::uint16_t parent_at = 0;
  std::uint16_t parent_kind_at = 0;
  std::uint8_t parent_kind_shift = 0;
  std::uint8_t parent_is_frame = 0;   ///< the link points to the start of the parent's promise
  std::uint8_t parent_is_scope = 0;   ///< it points to a slot in a record aligned to its size, whose first word is the
                                      ///< scope
  std::uint8_t parent_is_branch = 0;  ///< it points to a branch, which is in the waiting frame or in a record
  std::uint16_t promise_at = 0;
  std::uint16_t group_of_branch_at = 0;     ///< for a branch in a record: the address of the waiting object in its
                                            ///< frame
  std::uint16_t parent_of_stand_in_at = 0;  ///< if it has no group: like `parent_at`, relative to the branch
  std::uint16_t owner_of_node_at = 0;       ///< in a scope or group: the link to the promise of the task that joins it
};

/// The structure of this program.
extern constinit arena this_arena;

}  // namespace tare::abi
