#pragma once

// The one reserved address range from which all heaps take their slabs.
//
// Reserving costs no memory: pages are populated when first accessed, and slabs are made accessible in steps as the
// highest slab in use grows. The lowest free slab is always taken first, so slabs in use stay together.

#include "frame/slab.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace tare::detail {

class heap;

class arena {
 public:
  /// The arena of the process; reserved on the first call. Throws std::bad_alloc if no range can be reserved.
  static arena& instance() {
    if (arena* made = made_.load(std::memory_order_acquire); made != nullptr) [[likely]]
      return *made;
    return make();
  }

  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  /// The first of `count` consecutive slabs, or nullptr. Thread-safe, like `give_back`.
  [[nodiscard]] slab* take(std::size_t count) noexcept;

  /// Returns slabs and their pages to the system.
  void give_back(slab* first, std::size_t count) noexcept;

  /// For a slab of a growing heap: populates its pages now, with one call instead of one fault per page. A large arena
  /// populates the whole area around it, as one huge page, if `ahead`. Thread-safe.
  void populate(const slab& taken, bool ahead) noexcept;
  /// Returns the pages that were populated in advance but not used, so that at rest only memory in use is resident.
  void trim() noexcept;

  [[nodiscard]] slab* slab_of(const void* object) const noexcept {
    return table_ + static_cast<std::size_t>(static_cast<const std::byte*>(object) - arena_base) / slab_bytes;
  }
  [[nodiscard]] std::byte* start_of(const slab* of) const noexcept {
    return arena_base + static_cast<std::size_t>(of - table_) * slab_bytes;
  }

  [[nodiscard]] const slab& slab_number(std::size_t number) const noexcept { return table_[number]; }
  /// All slabs that were ever taken have a lower number.
  [[nodiscard]] std::size_t slab_number_end() noexcept;

  /// A heap for the exclusive use of a thread; reuses a returned heap, including the objects still alive in it. The
  /// caller holds its lock.
  [[nodiscard]] heap& acquire_heap();
  /// No thread may hold its lock for long.
  void release_heap(heap& unused) noexcept;

  [[nodiscard]] heap& heap_number(std::size_t number) noexcept { return *heaps_[number]; }

  /// The heap of threads that run no shard: each holds its lock while it allocates.
  static constexpr std::uint16_t shared_heap_number = 1;  // 0 means no owner
  [[nodiscard]] heap& shared_heap() noexcept { return *heaps_[shared_heap_number]; }

  /// Objects alive in all heaps, except in those that a thread is using at this moment.
  [[nodiscard]] std::uint64_t live_objects() noexcept;

  static constexpr std::size_t max_heaps = 4096;

 private:
  arena();
  ~arena() = default;
  static arena& make();
  /// Locks around a fork, in the order in which they are taken elsewhere.
  void lock_all() noexcept;
  void unlock_all() noexcept;

  static constinit std::atomic<arena*> made_;

  [[nodiscard]] bool make_accessible(std::size_t slabs) noexcept;
  [[nodiscard]] bool is_taken(std::size_t slab) const noexcept;
  [[nodiscard]] bool starts_area(std::size_t slab) const noexcept;

  std::mutex lock_;
  std::size_t slab_count_ = 0;
  std::size_t accessible_ = 0;  ///< slabs below this one, except the first, may be accessed
  std::size_t first_free_ = 0;  ///< no slab below this one is free
  std::size_t in_use_ = 0;      ///< slabs
  std::size_t area_ = 0;        ///< the first slab of the last area that was populated as a whole; 0: none
  slab* table_ = nullptr;
  std::vector<std::uint64_t> taken_;  ///< one bit per slab

  std::mutex heaps_lock_;
  std::array<std::unique_ptr<heap>, max_heaps> heaps_;
  std::size_t heap_count_ = 0;
  std::vector<std::uint16_t> unused_heaps_;
};

}  // namespace tare::detail
