// Objects larger than the largest size class: whole runs of slabs, some of which a heap keeps for the next one.

#include "frame/arena.hpp"
#include "frame/heap.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace tare::detail {
namespace {

/// What a large object counts as: the pages that it can touch; for the largest objects, whole slabs.
[[nodiscard]] std::size_t charge_of(std::size_t count, std::size_t bytes) noexcept {
  constexpr std::size_t page = 4096;
  const std::size_t whole = count * slab_bytes;
  return whole > UINT32_MAX ? whole : (bytes + page - 1) / page * page;
}

}  // namespace

void* heap::allocate_large(std::size_t bytes, slab_use use) {
  if (bytes > SIZE_MAX / 2) throw std::bad_alloc();
  arena& memory = arena::instance();
  const std::size_t count = (bytes + slab_bytes - 1) / slab_bytes;
  std::size_t charged = charge_of(count, bytes);
  slab* first = take_kept(count, charged);
  if (first == nullptr) {
    if (!charge_or_drop_spare(charged)) throw std::bad_alloc();
    first = memory.take(count);
    if (first == nullptr) {
      discharge(charged);
      throw std::bad_alloc();
    }
    poison(memory.start_of(first), count * slab_bytes);
  }
  first->object_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(charged, UINT32_MAX));
  first->used = 1;
  first->capacity = 1;
  first->run = static_cast<std::uint32_t>(count);
  first->heap = number_;
  first->use = use;
  return memory.start_of(first);
}

slab* heap::take_kept(std::size_t count, std::size_t& bytes) noexcept {
  if (count > kept_run_slabs || kept_[count].first == nullptr) return nullptr;
  kept_run& found = kept_[count];
  if (bytes > found.charged && !charge(bytes - found.charged)) return nullptr;
  // Pages touched by the previous object stay counted.
  bytes = std::max(bytes, found.charged);
  kept_slabs_ -= count;
  return std::exchange(found.first, nullptr);
}

bool heap::keep(slab& first) noexcept {
  const std::size_t count = first.run;
  if (count > kept_run_slabs || kept_[count].first != nullptr || kept_slabs_ + count > max_kept_slabs) return false;
  kept_[count] = {.first = &first, .charged = first.object_bytes};
  kept_slabs_ += count;
  poison(arena::instance().start_of(&first), count * slab_bytes);
  first = slab{};
  trimmed_ = false;
  return true;
}

void heap::free_large(slab& first) noexcept {
  if (keep(first)) return;
  const std::size_t charged = charge_of(first.run, first.object_bytes);
  arena::instance().give_back(&first, first.run);
  discharge(charged);
}

}  // namespace tare::detail
