#include "frame/arena.hpp"

#include "frame/heap.hpp"
#include "frame/poison.hpp"

#include <tare/abi/arena.hpp>
#include <tare/detail/frame_memory.hpp>

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <mutex>
#include <new>
#include <ranges>

namespace tare::detail {

constinit std::byte* arena_base = nullptr;

namespace {

constexpr std::size_t max_arena = std::size_t{32} << 30U;  // the range of a link
constexpr std::size_t min_arena = std::size_t{16} << 20U;
constexpr std::size_t accessible_step = (std::size_t{4} << 20U) / slab_bytes;
constexpr std::size_t word_bits = 64;
/// The size of one huge page.
constexpr std::size_t area_bytes = std::size_t{2} << 20U;
constexpr std::size_t area_slabs = area_bytes / slab_bytes;
/// From this many slabs in use, whole areas are populated at a time. Their unused parts are returned when a shard is
/// idle.
constexpr std::size_t large_arena = 2 * area_slabs;

void* reserve(std::size_t bytes, int protection) noexcept {
  void* range = ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return range == MAP_FAILED ? nullptr : range;
}

}  // namespace

constinit std::atomic<arena*> arena::made_ = nullptr;

arena& arena::make() {
  // Never destroyed, because destructors of static objects may free frames.
  static auto* const the_arena = new arena;
  // During a fork another thread may hold a lock, and that thread does not exist in the child to release it. Registered
  // once, because the arena is made once.
  static const int registered = ::pthread_atfork([] { the_arena->lock_all(); }, [] { the_arena->unlock_all(); },
                                                 [] {
                                                   the_arena->unlock_all();
                                                   current_heap = nullptr;
                                                   current_shelves = nullptr;
                                                 });
  if (registered != 0) throw std::bad_alloc();
  made_.store(the_arena, std::memory_order_release);
  return *the_arena;
}

void arena::lock_all() noexcept {
  heaps_lock_.lock();
  shared_heap().lock();
  lock_.lock();
}

void arena::unlock_all() noexcept {
  lock_.unlock();
  shared_heap().unlock();
  heaps_lock_.unlock();
}

arena::arena() {
  // A limit on address space (ulimit -v) makes the large reservation fail, so request less until it fits.
  std::byte* range = nullptr;
  std::size_t bytes = max_arena;
  for (; range == nullptr && bytes >= min_arena; bytes /= 2) {
    range = static_cast<std::byte*>(reserve(bytes + area_bytes, PROT_NONE));
  }
  if (range == nullptr) throw std::bad_alloc();
  bytes *= 2;
  slab_count_ = bytes / slab_bytes;
  table_ = static_cast<slab*>(reserve(slab_count_ * sizeof(slab), PROT_READ | PROT_WRITE));
  if (table_ == nullptr) throw std::bad_alloc();
  taken_.assign((slab_count_ + word_bits - 1) / word_bits, 0);

  const auto address = reinterpret_cast<std::uintptr_t>(range);
  arena_base = range + (area_bytes - address % area_bytes) % area_bytes;
  // If huge pages are always enabled, the system would use them for a few objects, and again for returned memory.
  (void)::madvise(arena_base, bytes, MADV_NOHUGEPAGE);
  abi::this_arena.base = reinterpret_cast<std::uintptr_t>(arena_base);
  abi::this_arena.table = reinterpret_cast<std::uintptr_t>(table_);
  // Link 0 means none, so the first slab is never allocated, and following a null link traps.
  taken_[0] = 1;
  first_free_ = 1;
  accessible_ = 1;

  heaps_[shared_heap_number] = std::make_unique<heap>(shared_heap_number);
  heap_count_ = shared_heap_number + 1;
}

bool arena::make_accessible(std::size_t slabs) noexcept {
  if (slabs <= accessible_) return true;
  const std::size_t wanted = std::min(slab_count_, (slabs + accessible_step - 1) / accessible_step * accessible_step);
  if (::mprotect(arena_base + accessible_ * slab_bytes, (wanted - accessible_) * slab_bytes, PROT_READ | PROT_WRITE) !=
      0) {
    return false;
  }
  accessible_ = wanted;
  abi::this_arena.slabs = wanted;
  return true;
}

slab* arena::take(std::size_t count) noexcept {
  const std::scoped_lock guard(lock_);
  std::size_t found = 0;  // number of consecutive free slabs that end before `at`
  for (std::size_t at = first_free_; at < slab_count_;) {
    const std::uint64_t word = taken_[at / word_bits] >> (at % word_bits);
    if ((word & 1U) != 0) {
      found = 0;
      at += std::min<std::size_t>(static_cast<std::size_t>(std::countr_one(word)), word_bits - at % word_bits);
      continue;
    }
    ++at;
    if (++found < count) continue;

    const std::size_t first = at - count;
    if (!make_accessible(at)) return nullptr;
    for (std::size_t taken = first; taken < at; ++taken) {
      taken_[taken / word_bits] |= std::uint64_t{1} << (taken % word_bits);
    }
    in_use_ += count;
    // A single slab is always the lowest free one; a run of slabs may come after free ones.
    if (count == 1 || first == first_free_) first_free_ = at;
    return table_ + first;
  }
  return nullptr;
}

void arena::give_back(slab* first, std::size_t count) noexcept {
  std::byte* const start = start_of(first);
  unpoison(start, count * slab_bytes);
  // Failure leaves the pages as they are: it only uses more memory.
  (void)::madvise(start, count * slab_bytes, MADV_DONTNEED);
  for (std::size_t i = 0; i < count; ++i) first[i] = slab{};

  const std::scoped_lock guard(lock_);
  const auto at = static_cast<std::size_t>(first - table_);
  for (std::size_t freed = at; freed < at + count; ++freed) {
    taken_[freed / word_bits] &= ~(std::uint64_t{1} << (freed % word_bits));
  }
  first_free_ = std::min(first_free_, at);
  in_use_ -= count;
}

bool arena::is_taken(std::size_t slab) const noexcept {
  return (taken_[slab / word_bits] >> (slab % word_bits) & 1U) != 0;
}

bool arena::starts_area(std::size_t slab) const noexcept {
  if (slab % area_slabs != 0) return false;
  // An area begins at the start or in the middle of a word.
  static_assert(word_bits % area_slabs == 0);
  const std::uint64_t others = ((std::uint64_t{1} << area_slabs) - 2) << (slab % word_bits);
  return (taken_[slab / word_bits] & others) == 0;
}

void arena::populate(const slab& taken, bool ahead) noexcept {
  const auto number = static_cast<std::size_t>(&taken - table_);
  bool whole_area = false;
  {
    const std::scoped_lock guard(lock_);
    if (area_ != 0 && number - area_ < area_slabs) return;
    whole_area = ahead && in_use_ >= large_arena && starts_area(number) && make_accessible(number + area_slabs);
  }
  // Not under the lock, because other threads need slabs meanwhile.
  std::byte* const start = start_of(&taken);
  if (!whole_area) {
    (void)::madvise(start, slab_bytes, MADV_POPULATE_WRITE);
    return;
  }
  // Without huge pages, this populates the same number of small pages.
  (void)::madvise(start, area_bytes, MADV_HUGEPAGE);
  const bool made = ::madvise(start, area_bytes, MADV_POPULATE_WRITE) == 0;
  (void)::madvise(start, area_bytes, MADV_NOHUGEPAGE);
  const std::scoped_lock guard(lock_);
  if (made) area_ = number;
}

void arena::trim() noexcept {
  const std::scoped_lock guard(lock_);
  if (area_ == 0) return;
  for (std::size_t at = area_; at < area_ + area_slabs; ++at) {
    if (!is_taken(at)) (void)::madvise(start_of(table_ + at), slab_bytes, MADV_DONTNEED);
  }
  area_ = 0;
}

std::size_t arena::slab_number_end() noexcept {
  const std::scoped_lock guard(lock_);
  return accessible_;
}

heap& arena::acquire_heap() {
  const std::scoped_lock guard(heaps_lock_);
  // Another thread may be freeing into an unused heap; after a fork, forever.
  const auto found = std::ranges::find_if(std::views::reverse(unused_heaps_), [this](std::uint16_t number) {
    heap& unused = *heaps_[number];
    if (!unused.try_lock()) return false;
    // In a simulation, when a shard is woken to trim its heap must not depend on what a crash has left in it.
    if (heap::gate == nullptr || unused.live() == 0) return true;
    unused.unlock();
    return false;
  });
  if (found != unused_heaps_.rend()) {
    heap& again = *heaps_[*found];
    unused_heaps_.erase(std::prev(found.base()));
    return again;
  }
  if (heap_count_ == max_heaps) throw std::bad_alloc();
  unused_heaps_.reserve(heap_count_ + 1);  // so that returning the heap cannot fail
  heaps_[heap_count_] = std::make_unique<heap>(static_cast<std::uint16_t>(heap_count_));
  heaps_[heap_count_]->lock();
  return *heaps_[heap_count_++];
}

void arena::release_heap(heap& unused) noexcept {
  {
    const std::scoped_lock alone(unused);
    unused.collect();
    unused.trim();
    unused.charge_to(nullptr);
  }
  const std::scoped_lock guard(heaps_lock_);
  unused_heaps_.push_back(unused.number());
}

std::uint64_t arena::live_objects() noexcept {
  const std::scoped_lock guard(heaps_lock_);
  std::uint64_t live = 0;
  for (std::size_t number = shared_heap_number; number < heap_count_; ++number) {
    heap& each = *heaps_[number];
    if (!each.try_lock()) continue;
    each.collect();
    live += each.live();
    each.unlock();
  }
  return live;
}

}  // namespace tare::detail
