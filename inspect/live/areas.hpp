#pragma once

// The parts of a process's memory that are scanned, and their kinds. Internal to inspect/.

#include "inspect/live/malloc_heap.hpp"
#include "inspect/memory/address_space.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tare::inspect {

enum class area_kind : std::uint8_t {
  heap,   ///< glibc's: every chunk says whether it is in use
  stack,  ///< of a thread, above its stack pointer
  other,  ///< memory of other allocators, large chunks, static objects
};

/// A part of a region that is scanned as a whole.
struct area {
  address_range where;
  area_kind kind = area_kind::other;
  malloc_heap heap{};
  const memory_region* region = nullptr;
};

struct area_list {
  std::vector<area> areas;    ///< by address, without overlaps
  std::uint64_t skipped = 0;  ///< regions that are too large to scan
};

/// All private writable memory by address, without the ranges in `covered` and the unused parts of stacks.
[[nodiscard]] area_list find_areas(const address_space& memory, std::span<const address_range> covered);

/// The word with this number in a block.
[[nodiscard]] inline std::uint64_t word_of(std::span<const std::byte> block, std::size_t number) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, block.data() + number * sizeof value, sizeof value);
  return value;
}

/// Reads areas block by block.
class block_reader {
 public:
  /// Large enough for few system calls, small enough for the processor's cache.
  static constexpr std::size_t block_bytes = std::size_t{256} << 10U;

  explicit block_reader(const address_space& memory) : memory_(memory) {}

  /// Calls `use(address, block, bytes)`. The block begins at the address and has this many bytes, followed by the next
  /// word, if there is one, because a pair of words may cross the border of two blocks. Blocks that cannot be read are
  /// skipped.
  void for_each(const area& area,
                const std::function<void(std::uint64_t, std::span<const std::byte>, std::uint64_t)>& use);

 private:
  const address_space& memory_;
  std::unique_ptr<std::array<std::byte, block_bytes + 8>> buffer_ =
      std::make_unique<std::array<std::byte, block_bytes + 8>>();
};

}  // namespace tare::inspect
