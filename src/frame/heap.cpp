#include "frame/heap.hpp"

#include "frame/arena.hpp"

#include <tare/detail/frame_memory.hpp>

#include <algorithm>
#include <bit>
#include <mutex>
#include <new>
#include <utility>

namespace tare::detail {

constinit slab heap::full_slab{};
constinit thread_local heap* current_heap = nullptr;
constinit thread_local frame_shelves* current_shelves = nullptr;

namespace {

constexpr std::size_t min_record = 64;
// A size class with this many slabs is growing: its next slab is populated by one system call instead of 16 page
// faults.
constexpr std::size_t growing_slabs = 4;

}  // namespace

heap::size_class heap::class_of(std::size_t bytes, bool record) noexcept {
  if (record) {
    const std::size_t size = std::bit_ceil(std::max(bytes, min_record));
    return {.bin = static_cast<std::uint16_t>(frame_bins + static_cast<std::size_t>(std::countr_zero(size)) - 6),
            .bytes = static_cast<std::uint32_t>(size)};
  }
  if (bytes <= max_fine) {
    const std::size_t units = (bytes + fine_step - 1) / fine_step;
    return {.bin = static_cast<std::uint16_t>(units), .bytes = static_cast<std::uint32_t>(units * fine_step)};
  }
  // Eight size classes between two powers of two.
  const auto magnitude = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  const std::size_t step = (std::size_t{1} << magnitude) / 8;
  const std::size_t size = (bytes + step - 1) / step * step;
  const std::size_t index = (magnitude - 10) * 8 + (size - (std::size_t{1} << magnitude)) / step - 1;
  return {.bin = static_cast<std::uint16_t>(fine_bins + index), .bytes = static_cast<std::uint32_t>(size)};
}

void* heap::allocate(std::size_t bytes, std::size_t alignment, bool record) {
  if (++allocations_ == failing_) [[unlikely]]
    check_allocation();
  // A slab starts at a multiple of 64 KiB, so objects whose size is a multiple of the alignment are aligned.
  const std::size_t size = frame_size(bytes + redzone, alignment);
  try {
    void* object = nullptr;
    if (size > max_small) [[unlikely]] {
      object = allocate_large(size, record ? slab_use::large_record : slab_use::large_frame);
    } else {
      size_class of = class_of(size, record);
      while (of.bytes % alignment != 0) [[unlikely]]
        of = class_of(of.bytes + 1, record);
      object = take_from(*bins_[of.bin]);
      if (object == nullptr) [[unlikely]]
        object = allocate_slowly(of, record ? slab_use::records : slab_use::frames);
    }
    unpoison(object, bytes);
    return object;
  } catch (...) {
    --allocations_;
    throw;
  }
}

void heap::check_allocation() {
  failing_ = 0;
  if (gate != nullptr) {
    failing_ = allocations_ + 1;
    if (gate()) return;
    --failing_;
  }
  --allocations_;
  throw std::bad_alloc();
}

void* heap::take_from(slab& from) noexcept {
  if (from.free != no_link) {
    void* object = from_link<void>(from.free);
    from.free = read_link(object);
    ++from.used;
    return object;
  }
  if (from.fresh != 0) {
    std::byte* object = arena::instance().start_of(&from) + std::size_t{from.capacity - from.fresh} * from.object_bytes;
    --from.fresh;
    ++from.used;
    return object;
  }
  return nullptr;
}

void* heap::allocate_slowly(size_class size, slab_use use) {
  if (has_to_collect()) {
    collect();
    if (void* object = take_from(*bins_[size.bin]); object != nullptr) return object;
  }
  slab* from = partial_[size.bin];
  if (from != nullptr) {
    unlist(*from);
  } else {
    from = new_slab(size, use);
  }
  bins_[size.bin] = from;
  trimmed_ = false;
  return take_from(*from);
}

slab* heap::new_slab(size_class size, slab_use use) {
  arena& memory = arena::instance();
  slab* taken = nullptr;
  if (spare_count_ != 0) {
    taken = spare_[--spare_count_];
  } else {
    if (!charge_or_drop_spare(slab_bytes)) throw std::bad_alloc();
    taken = memory.take(1);
    if (taken == nullptr) {
      discharge(slab_bytes);
      throw std::bad_alloc();
    }
    if (slabs_of_bin_[size.bin] >= growing_slabs)
      memory.populate(*taken, ceiling_ == nullptr || ceiling_->populates_ahead);
    poison(memory.start_of(taken), slab_bytes);
  }
  ++slabs_of_bin_[size.bin];
  taken->free = no_link;
  taken->object_bytes = size.bytes;
  taken->used = 0;
  taken->capacity = static_cast<std::uint32_t>(slab_bytes / size.bytes);
  taken->fresh = taken->capacity;
  taken->heap = number_;
  taken->bin = size.bin;
  taken->use = use;
  taken->listed = false;
  return taken;
}

void heap::drop_spare() noexcept {
  while (spare_count_ != 0) {
    arena::instance().give_back(spare_[--spare_count_], 1);
    discharge(slab_bytes);
  }
  for (std::size_t count = 1; count < kept_.size() && kept_slabs_ != 0; ++count) {
    if (kept_[count].first == nullptr) continue;
    arena::instance().give_back(std::exchange(kept_[count].first, nullptr), count);
    discharge(kept_[count].charged);
    kept_slabs_ -= count;
  }
}

void heap::free(void* object) noexcept {
  ++frees_;
  if (object = quarantine_.exchange(object); object != nullptr) put_back(object);
}

void heap::put_back(void* object) noexcept {
  slab& from = *arena::instance().slab_of(object);
  if (from.run != 0) [[unlikely]] {
    free_large(from);
    return;
  }
  write_link(object, from.free);
  from.free = to_link(object);
  --from.used;
  if (&from == bins_[from.bin]) {
    if (from.used == 0) trimmed_ = false;
    return;
  }
  if (from.used == 0) {
    if (from.listed) unlist(from);
    retire(from);
  } else if (!from.listed) {
    list(from);
  }
}

void heap::free_from_elsewhere(void* object) noexcept {
  if (remote_.push(object)) tend();
}

void heap::give_back(void* object) noexcept {
  arena& memory = arena::instance();
  const std::uint16_t owner = memory.slab_of(object)->heap;
  if (owner == number_) [[likely]] {
    free(object);
  } else {
    memory.heap_number(owner).free_from_elsewhere(object);
  }
}

void heap::unlock() noexcept {
  lock_.unlock();
  tend();
}

void heap::tend() noexcept {
  // The thread with the lock checks again after it has released it, so one of the two sees what was pushed meanwhile.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  while (has_to_collect()) {
    if (!lock_.try_lock()) return;
    collect_for_owner();
    lock_.unlock();
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
}

void heap::collect_for_owner() noexcept {
  const bool was_trimmed = trimmed_;
  collect();
  if (trimmed_ || number_ == arena::shared_heap_number) return;
  if (owner_ == nullptr) {
    trim_slabs();
  } else if (was_trimmed) {
    owner_->wake();  // once; it trims when its time has come
  }
}

void heap::collect() noexcept {
  link next = remote_.take_all();
  while (next != no_link) {
    void* object = from_link<void>(next);
    next = read_link(object);
    free(object);
  }
}

void heap::list(slab& partly_used) noexcept {
  slab*& head = partial_[partly_used.bin];
  partly_used.next = head;
  partly_used.prev = nullptr;
  if (head != nullptr) head->prev = &partly_used;
  head = &partly_used;
  partly_used.listed = true;
}

void heap::unlist(slab& partly_used) noexcept {
  if (partly_used.prev != nullptr) {
    partly_used.prev->next = partly_used.next;
  } else {
    partial_[partly_used.bin] = partly_used.next;
  }
  if (partly_used.next != nullptr) partly_used.next->prev = partly_used.prev;
  partly_used.next = partly_used.prev = nullptr;
  partly_used.listed = false;
}

void heap::retire(slab& empty) noexcept {
  --slabs_of_bin_[empty.bin];
  if (spare_count_ < max_spare) {
    spare_[spare_count_++] = &empty;
    trimmed_ = false;
    return;
  }
  arena::instance().give_back(&empty, 1);
  discharge(slab_bytes);
}

void heap::clear_shelves() noexcept {
  for (std::size_t size = 0; size <= frame_shelves::largest; size += frame_shelves::step) {
    if (void* frame = shelves_.take(size); frame != nullptr) give_back(frame);
  }
}

void heap::trim() noexcept {
  asked_to_trim_.store(false, std::memory_order_relaxed);
  clear_shelves();
  if (gate != nullptr) {
    // What one simulation has freed must not be seen by the next.
    for (std::size_t i = 0; i < quarantine::size; ++i) {
      if (void* const object = quarantine_.exchange(nullptr); object != nullptr) put_back(object);
    }
  }
  trim_slabs();
}

void heap::trim_slabs() noexcept {
  for (slab*& current : bins_) {
    if (current != &full_slab && current->used == 0) {
      slab& empty = *std::exchange(current, &full_slab);
      retire(empty);
    } else if (current != &full_slab && (current->free != no_link || current->fresh != 0)) {
      list(*std::exchange(current, &full_slab));
    }
  }
  drop_spare();
  arena::instance().trim();
  trimmed_ = true;
}

bool heap::charge(std::size_t bytes) noexcept {
  if (ceiling_ != nullptr) {
    std::size_t held = ceiling_->held.load(std::memory_order_relaxed);
    do {
      if (bytes > ceiling_->most || held > ceiling_->most - bytes) return false;
    } while (!ceiling_->held.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
  }
  held_ += bytes;
  return true;
}

bool heap::charge_or_drop_spare(std::size_t bytes) noexcept {
  if (charge(bytes)) return true;
  drop_spare();
  if (charge(bytes)) return true;
  if (ceiling_ == nullptr) return false;
  trim_others();
  return charge(bytes);
}

void heap::trim_others() noexcept {
  const std::scoped_lock guard(ceiling_->lock);
  for (heap* each = ceiling_->first; each != nullptr; each = each->next_of_ceiling_) {
    if (each == this) continue;
    if (!each->try_lock()) {
      each->asked_to_trim_.store(true, std::memory_order_relaxed);
      continue;
    }
    each->collect();
    each->trim_slabs();
    each->unlock();
  }
}

void heap::discharge(std::size_t bytes) noexcept {
  if (ceiling_ != nullptr) ceiling_->held.fetch_sub(bytes, std::memory_order_relaxed);
  held_ -= bytes;
}

void heap::charge_to(frame_ceiling* ceiling) noexcept {
  if (ceiling_ != nullptr) {
    const std::scoped_lock guard(ceiling_->lock);
    heap** at = &ceiling_->first;
    while (*at != this) at = &(*at)->next_of_ceiling_;
    *at = std::exchange(next_of_ceiling_, nullptr);
    ceiling_->held.fetch_sub(held_, std::memory_order_relaxed);
  }
  ceiling_ = ceiling;
  failing_ = gate != nullptr && ceiling_ != nullptr ? allocations_ + 1 : 0;
  if (ceiling_ != nullptr) {
    const std::scoped_lock guard(ceiling_->lock);
    next_of_ceiling_ = std::exchange(ceiling_->first, this);
    ceiling_->held.fetch_add(held_, std::memory_order_relaxed);
  }
}

namespace {

void* allocate(std::size_t bytes, std::size_t alignment, bool record) {
  if (heap* const mine = current_heap; mine != nullptr) [[likely]]
    return mine->allocate(bytes, alignment, record);
  heap& shared = arena::instance().shared_heap();
  const std::scoped_lock mine(shared);
  return shared.allocate(bytes, alignment, record);
}

void free(void* object) noexcept {
  if (heap* const mine = current_heap; mine != nullptr) [[likely]] {
    mine->give_back(object);
    return;
  }
  arena& memory = arena::instance();
  memory.heap_number(memory.slab_of(object)->heap).free_from_elsewhere(object);
}

}  // namespace

void* allocate_frame(std::size_t bytes, std::size_t alignment) { return allocate(bytes, alignment, false); }

void free_frame(void* frame) noexcept {
  mark_as_free(frame);
  if constexpr (poisoning) {
    const slab& of = *arena::instance().slab_of(frame);
    poison(frame, of.object_bytes);
  }
  free(frame);
}

void* allocate_record(std::size_t bytes) { return allocate(bytes, 1, true); }

void free_record(void* record) noexcept {
  if constexpr (poisoning) {
    const slab& of = *arena::instance().slab_of(record);
    poison(record, of.object_bytes);
  }
  free(record);
}

}  // namespace tare::detail
