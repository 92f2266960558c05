#pragma once

// glibc's heaps, read from outside: which chunks are in use. Internal to inspect/.
//
// A freed frame keeps its first words until its memory is reused, unless malloc overwrites them: it does so for chunks
// in its caches, but not for chunks that it merges with their neighbours. But every chunk has its size, and the next
// chunk says whether it is in use, so a walk from chunk to chunk distinguishes freed frames from live ones. (glibc 2.26
// to 2.41, malloc/malloc.c and malloc/arena.c: "struct malloc_chunk", "struct _heap_info".)

#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace tare::inspect {

/// Memory that malloc divides into chunks.
struct malloc_heap {
  address_range where;  ///< from the first chunk on
  bool of_thread_arena = false;
};

/// The heap that grows by brk, if it belongs to glibc's malloc.
[[nodiscard]] std::optional<malloc_heap> main_heap(const address_space& memory, const memory_region& region);

/// The heaps of the arenas that malloc creates for other threads, at multiples of 64 MiB.
[[nodiscard]] std::vector<malloc_heap> thread_heaps(const address_space& memory, const memory_region& region);

/// Whether a region is the stack of a thread created by pthread_create. Such stacks are cached after a thread has
/// ended.
[[nodiscard]] bool is_thread_stack(const address_space& memory, const memory_region& region);

/// The size of the chunk whose object begins at `address`, if malloc has mapped it for that object alone, as it does
/// for large objects.
[[nodiscard]] std::optional<std::uint64_t> mapped_chunk_bytes(const address_space& memory, std::uint64_t address);

/// An object in a chunk, as malloc returned it.
struct chunk_object {
  std::uint64_t address = 0;
  std::uint64_t chunk_bytes = 0;
};

/// The chunks that malloc has mapped for one object each, by address. They begin the region, or follow a few pages of
/// something else: the kernel joins a chunk that fills the gap behind a library's variables with these.
[[nodiscard]] std::vector<chunk_object> mapped_chunks(const address_space& memory, const memory_region& region);

/// Whether the chunk of an object is in one of malloc's caches. Such a chunk is marked as in use, but its first word is
/// the obfuscated address of the next chunk in its list (since glibc 2.32: "safe linking").
[[nodiscard]] bool is_cached_chunk(const address_space& memory, std::uint64_t address, std::uint64_t first_word,
                                   std::uint64_t chunk_bytes);

enum class chunk_state : std::uint8_t {
  begins,  ///< a chunk in use begins there
  inside,  ///< inside a chunk in use
  free,    ///< not in use
};

/// A chunk by itself.
struct lone_chunk {
  std::uint64_t bytes = 0;
  bool in_use = false;
};

/// The chunk whose object begins at `address`, judged by its own head and that of the next chunk: for addresses that a
/// walk did not reach. Nothing if the head is not plausible for an object of this size.
[[nodiscard]] std::optional<lone_chunk> lone_chunk_at(const address_space& memory, std::uint64_t address,
                                                      std::uint64_t min_bytes);

/// Walks through a heap once, block by block.
class chunk_walk {
 public:
  explicit chunk_walk(const malloc_heap& heap) : heap_(heap), chunk_(heap.where.begin), next_(heap.where.begin) {}

  /// Passes the next block of the heap's memory. Blocks must follow each other without a gap.
  void feed(std::uint64_t address, std::span<const std::byte> block);

  /// The state of the chunk at an address; nullopt if further blocks are needed. Addresses must not decrease.
  [[nodiscard]] std::optional<chunk_state> at(std::uint64_t address);

  /// The size of the chunk that `at` found last; 0 if there is none.
  [[nodiscard]] std::uint64_t bytes() const noexcept {
    return at_ < known_.size() ? known_[at_].end - known_[at_].begin : 0;
  }

  /// The bytes of all chunks in use so far.
  [[nodiscard]] std::uint64_t used_bytes() const noexcept { return used_; }

  /// The object in that chunk.
  [[nodiscard]] chunk_object object() const noexcept {
    constexpr std::uint64_t head = 16;
    if (at_ >= known_.size()) return {};
    return {.address = known_[at_].begin + head, .chunk_bytes = bytes()};
  }

  /// Says that no more blocks follow: everything else belongs to the free end of the heap.
  void finish() noexcept { finished_ = true; }

  /// Whether a chunk's head was not plausible: the heap was changing, or it is not glibc's. The rest is not known.
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
