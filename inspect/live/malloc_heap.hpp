#pragma once

// glibc's heaps as seen from outside: which chunks are in use. Internal to inspect/.
//
// A freed frame keeps its first words until its memory is used again, unless malloc overwrites them: it does for the
// chunks that it keeps in its caches, and does not for those that are merged with their neighbours. But every chunk
// says how long it is, and the one behind it whether it is in use, so walking from chunk to chunk tells freed frames
// from live ones. (glibc 2.26 to 2.41, malloc/malloc.c and malloc/arena.c: "struct malloc_chunk", "struct _heap_info".)

#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace tare::inspect {

/// Memory that malloc cuts into chunks.
struct malloc_heap {
  address_range where;  ///< from the first chunk on
  bool of_thread_arena = false;
};

/// The heap that grows by brk, if it is one of glibc's.
[[nodiscard]] std::optional<malloc_heap> main_heap(const address_space& memory, const memory_region& region);

/// Those of the arenas that malloc makes for further threads. They are at multiples of 64 MiB.
[[nodiscard]] std::vector<malloc_heap> thread_heaps(const address_space& memory, const memory_region& region);

/// Whether a region is the stack of a thread that pthread_create made: they are kept when a thread has ended.
[[nodiscard]] bool is_thread_stack(const address_space& memory, const memory_region& region);

/// How long the chunk is that an object at `address` begins, if malloc has mapped it for that object alone, as it does
/// with large ones.
[[nodiscard]] std::optional<std::uint64_t> mapped_chunk_bytes(const address_space& memory, std::uint64_t address);

/// An object in a chunk, as malloc has given it out.
struct chunk_object {
  std::uint64_t address = 0;
  std::uint64_t chunk_bytes = 0;
};

/// The chunks that malloc has mapped for one object each, by address. They begin the region, or follow a few pages of
/// something else: the kernel joins a chunk that fills the gap behind a library's variables with these.
[[nodiscard]] std::vector<chunk_object> mapped_chunks(const address_space& memory, const memory_region& region);

/// Whether an object's chunk of so many bytes is one that malloc keeps for the next that asks for this size. Such a
/// chunk is marked as in use; its first word leads to the next one of its list, in a way that nothing else would (since
/// glibc 2.32: "safe linking").
[[nodiscard]] bool is_cached_chunk(const address_space& memory, std::uint64_t address, std::uint64_t first_word,
                                   std::uint64_t chunk_bytes);

enum class chunk_state : std::uint8_t {
  begins,  ///< a chunk in use begins there
  inside,  ///< inside of a chunk in use
  free,    ///< not in use
};

/// A chunk by itself.
struct lone_chunk {
  std::uint64_t bytes = 0;
  bool in_use = false;
};

/// The chunk that an object at `address` would begin, by its own head and the one behind it: for where a walk did not
/// come so far. Nothing if the head makes no sense for an object of that many bytes.
[[nodiscard]] std::optional<lone_chunk> lone_chunk_at(const address_space& memory, std::uint64_t address,
                                                      std::uint64_t min_bytes);

/// Goes through a heap once, block by block.
class chunk_walk {
 public:
  explicit chunk_walk(const malloc_heap& heap) : heap_(heap), chunk_(heap.where.begin), next_(heap.where.begin) {}

  /// The next block of the heap's memory. Blocks follow each other without a gap.
  void feed(std::uint64_t address, std::span<const std::byte> block);

  /// What is at an address; nothing while that takes further blocks. Addresses must not go back.
  [[nodiscard]] std::optional<chunk_state> at(std::uint64_t address);

  /// How long the chunk is that `at` has told of last; 0 if it told of none.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return at_ < known_.size() ? known_[at_].end - known_[at_].begin : 0;
  }

  /// Of all chunks in use so far.
  [[nodiscard]] std::uint64_t used_bytes() const noexcept { return used_; }

  /// The object in that chunk.
  [[nodiscard]] chunk_object object() const noexcept {
    constexpr std::uint64_t head = 16;
    if (at_ >= known_.size()) return {};
    return {.address = known_[at_].begin + head, .chunk_bytes = bytes()};
  }

  /// No more blocks come: what is not known yet belongs to the free end of the heap.
  void finish() noexcept { finished_ = true; }

  /// A chunk's head made no sense: the heap was changing, or it is not glibc's. What comes behind is not known.
  [[nodiscard]] bool is_broken() const noexcept { return broken_; }

 private:
  struct known_chunk {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool in_use = false;
  };

  malloc_heap heap_;
  std::uint64_t chunk_ = 0;  ///< the last one whose head was read
  std::uint64_t next_ = 0;   ///< where the next head is
  std::uint64_t used_ = 0;
  bool begun_ = false;
  bool finished_ = false;
  bool broken_ = false;
  std::vector<known_chunk> known_;
  std::size_t at_ = 0;  ///< in `known_`: none before matters any more
};

}  // namespace tare::inspect
