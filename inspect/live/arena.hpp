#pragma once

// This library's frame arena in a process's memory: every slab, every frame, who waits for it. Internal to inspect/.
//
// The program says where it is by <tare/abi/arena.hpp>. Nothing in there is trusted: what makes no sense ends
// the walk of that slab.

#include "inspect/live/found_frame.hpp"
#include "inspect/live/frame_index.hpp"
#include "inspect/memory/address_space.hpp"

#include <tare/abi/arena.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

class arena {
 public:
  /// The one that `abi` describes; nothing if it was not made yet. A version that is not known is told in `notes`.
  [[nodiscard]] static std::optional<arena> open(const address_space& memory, const abi::arena& abi,
                                                 std::vector<std::string>& notes);

  /// Where frames are, and where their slabs are described.
  [[nodiscard]] address_range frames_range() const noexcept;
  [[nodiscard]] address_range table_range() const noexcept;

  /// Bytes of the objects in a range that are no frames, and were given out at least once.
  [[nodiscard]] std::uint64_t records_in(const address_range& where) const noexcept;

  /// Adds all frames, by address; with `waiters` also who waits for each.
  void walk(const frame_index& known, std::span<const coroutine> coroutines, bool waiters, found_frames& into);

 private:
  struct slab {
    std::uint32_t object_bytes = 0;
    std::uint32_t objects = 0;  ///< that were handed out at least once; of a large frame 1, of no use 0
    std::uint32_t before = 0;   ///< how many slabs further to the front the object begins, if it is a large one
    bool frames = false;
  };
  arena(const address_space& memory, const abi::arena& abi) : memory_(memory), abi_(abi) {}

  [[nodiscard]] bool read_table();
  [[nodiscard]] std::uint64_t target(std::uint32_t link) const noexcept;
  [[nodiscard]] const slab* slab_of(std::uint64_t address) const noexcept;
  /// Where the object begins that an address is in; 0 if it is in none.
  [[nodiscard]] std::uint64_t object_of(std::uint64_t address) const noexcept;
  /// The frame that an address is in; 0 if it is in none.
  [[nodiscard]] std::uint64_t frame_of(std::uint64_t address) const noexcept;
  [[nodiscard]] std::uint64_t waiter_of(std::uint32_t parent, std::uint8_t kind);
  [[nodiscard]] std::uint64_t waiter_behind(std::uint64_t node) const;
  [[nodiscard]] std::uint64_t owner_of_scope(std::uint64_t slots);
  [[nodiscard]] std::uint64_t waiter_of_branch(std::uint64_t branch);

  const address_space& memory_;
  abi::arena abi_;
  std::vector<slab> table_;
  std::unordered_map<std::uint64_t, std::uint64_t> scopes_;  ///< by the record that has the slots
};

/// What arenas are walked for, so that nothing else needs to look there; by address.
[[nodiscard]] std::vector<address_range> covered_by(std::span<const arena> arenas);

}  // namespace tare::inspect
