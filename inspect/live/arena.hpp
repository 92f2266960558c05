#pragma once

// This library's frame arena in a process's memory: every slab, every frame, and what waits for it. Internal to
// inspect/.
//
// The structure of <tare/abi/arena.hpp> in the program describes it. Its content is not trusted: an inconsistent value
// ends the walk of that slab.

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
  /// The arena that `abi` describes; nothing if it does not exist yet. An unknown version is reported in `notes`.
  [[nodiscard]] static std::optional<arena> open(const address_space& memory, const abi::arena& abi,
                                                 std::vector<std::string>& notes);

  /// The memory of frames, and that of the descriptions of their slabs.
  [[nodiscard]] address_range frames_range() const noexcept;
  [[nodiscard]] address_range table_range() const noexcept;

  /// Bytes of the objects in a range that are not frames and were allocated at least once.
  [[nodiscard]] std::uint64_t records_in(const address_range& where) const noexcept;

  /// Adds all frames by address. `waiters`: also find out what waits for each.
  void walk(const frame_index& known, std::span<const coroutine> coroutines, bool waiters, found_frames& found);

 private:
  struct slab {
    std::uint32_t object_bytes = 0;
    std::uint32_t objects = 0;  ///< objects allocated at least once; 1 for a large frame, 0 if the slab is unused
    std::uint32_t before = 0;   ///< for a large object: how many slabs before this one it begins
    bool frames = false;
  };
  arena(const address_space& memory, const abi::arena& abi) : memory_(memory), abi_(abi) {}

  [[nodiscard]] bool read_table();
  [[nodiscard]] std::uint64_t target(std::uint32_t link) const noexcept;
  [[nodiscard]] const slab* slab_of(std::uint64_t address) const noexcept;
  /// The beginning of the object that contains an address; 0 if there is none.
  [[nodiscard]] std::uint64_t object_of(std::uint64_t address) const noexcept;
  /// The frame that contains an address; 0 if there is none.
  [[nodiscard]] std::uint64_t frame_of(std::uint64_t address) const noexcept;
  [[nodiscard]] std::uint64_t waiter_of(std::uint32_t parent, std::uint8_t kind);
  [[nodiscard]] std::uint64_t waiter_behind(std::uint64_t node) const;
  [[nodiscard]] std::uint64_t owner_of_scope(std::uint64_t slots);
  [[nodiscard]] std::uint64_t waiter_of_branch(std::uint64_t branch);

  const address_space& memory_;
  abi::arena abi_;
  std::vector<slab> table_;
  std::unordered_map<std::uint64_t, std::uint64_t> scopes_;  ///< by the record that contains the slots
};

/// The ranges that are scanned by walking the arenas, by address.
[[nodiscard]] std::vector<address_range> covered_by(std::span<const arena> arenas);

}  // namespace tare::inspect
