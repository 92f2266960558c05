#include "frame/slab.hpp"

#include <tare/abi/arena.hpp>
#include <tare/detail/branch.hpp>
#include <tare/detail/wait_node.hpp>

#include <cstddef>

namespace tare::abi {

namespace {

using namespace detail;

constexpr std::uint16_t promise_at = promise_offset;
// `parent` follows two links, and the kind of parent is in the upper bits of the last byte.
constexpr std::uint16_t parent_in_state = sizeof(list_links);
constexpr std::uint16_t parent_kind_in_state = sizeof(wait_state) - 1;

}  // namespace

[[gnu::section(".tare.arena"), gnu::used]] constinit arena this_arena{
    .bytes = sizeof(arena),
    .link_unit = link_unit,
    .slab_bytes = slab_bytes,
    .slab_entry_bytes = sizeof(slab),
    .object_bytes_at = offsetof(slab, object_bytes),
    .fresh_at = offsetof(slab, fresh),
    .capacity_at = offsetof(slab, capacity),
    .run_at = offsetof(slab, run),
    .use_at = offsetof(slab, use),
    .use_frames = static_cast<std::uint8_t>(slab_use::frames),
    .use_large_frame = static_cast<std::uint8_t>(slab_use::large_frame),
    .parent_at = promise_at + parent_in_state,
    .parent_kind_at = promise_at + parent_kind_in_state,
    .parent_kind_shift = 6,
    .parent_is_frame = static_cast<std::uint8_t>(parent_kind::frame),
    .parent_is_scope = static_cast<std::uint8_t>(parent_kind::scope),
    .parent_is_branch = static_cast<std::uint8_t>(parent_kind::branch),
    .promise_at = promise_at,
    // The branch is followed by the group of a group_member, or by the wait state of a visit, which is its stand-in.
    .group_of_branch_at = sizeof(branch),
    .parent_of_stand_in_at = sizeof(branch) + parent_in_state,
    .owner_of_node_at = offsetof(wait_node, owner),
};

}  // namespace tare::abi
