#include "io/slot.hpp"

#include <tare/detail/frame_memory.hpp>

#include <new>
#include <utility>

namespace tare::detail {

void slot_table::disown() noexcept {
  open_ = nullptr;
  while (all_ != nullptr) {
    block* const gone = std::exchange(all_, all_->next);
    gone->owner.store(nullptr, std::memory_order_relaxed);
    if (gone->used == 0) free_record(gone);
  }
}

std::mutex& slot_table::owners_lock() noexcept {
  static std::mutex lock;
  return lock;
}

slot_table::block& slot_table::block_of(const io_slot& slot) noexcept {
  // Records are aligned to their size.
  const auto inside = reinterpret_cast<std::uintptr_t>(&slot);
  return *reinterpret_cast<block*>(const_cast<std::byte*>(reinterpret_cast<const std::byte*>(&slot)) -
                                   inside % block_bytes);
}

reactor* slot_table::owner_of(const io_slot& slot) noexcept {
  return block_of(slot).owner.load(std::memory_order_relaxed);
}

void slot_table::open(block& added) noexcept {
  added.prev_open = nullptr;
  added.next_open = open_;
  if (open_ != nullptr) open_->prev_open = &added;
  open_ = &added;
}

void slot_table::unopen(block& removed) noexcept {
  (removed.prev_open == nullptr ? open_ : removed.prev_open->next_open) = removed.next_open;
  if (removed.next_open != nullptr) removed.next_open->prev_open = removed.prev_open;
}

void slot_table::free_if_spare(block& empty) noexcept {
  // The last block with room is kept, because otherwise a connection that comes and goes would allocate a block each
  // time.
  if (visiting_ || (empty.next_open == nullptr && empty.prev_open == nullptr)) return;
  unopen(empty);
  (empty.prev == nullptr ? all_ : empty.prev->next) = empty.next;
  if (empty.next != nullptr) empty.next->prev = empty.prev;
  free_record(&empty);
}

void slot_table::free_spare_blocks() noexcept {
  for (block* at = open_; at != nullptr;) {
    block& looked_at = *std::exchange(at, at->next_open);
    if (looked_at.used == 0) free_if_spare(looked_at);
  }
}

io_slot* slot_table::take(int fd) noexcept {
  if (open_ == nullptr) {
    try {
      auto* const added = ::new (allocate_record(block_bytes)) block{.owner = owner_,
                                                                     .next = all_,
                                                                     .prev = nullptr,
                                                                     .next_open = nullptr,
                                                                     .prev_open = nullptr,
                                                                     .free = no_link,
                                                                     .fresh = slots_per_block,
                                                                     .used = 0};
      if (all_ != nullptr) all_->prev = added;
      all_ = added;
      open(*added);
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }
  block& from = *open_;
  io_slot* slot = nullptr;
  std::uint16_t generation = 0;
  if (from.free != no_link) {
    slot = from_link<io_slot>(from.free);
    from.free = slot->reader;
    generation = static_cast<std::uint16_t>(slot->generation + 1);
  } else {
    slot = from.slots() + (slots_per_block - from.fresh);
    --from.fresh;
  }
  ::new (slot) io_slot{};
  slot->fd = fd;
  slot->generation = generation;
  slot->flags = io_used;
  ++size_;
  if (++from.used == slots_per_block) unopen(from);
  return slot;
}

void slot_table::give_back(io_slot& slot) noexcept {
  block& of = block_of(slot);
  slot.flags = 0;
  slot.reader = of.free;
  of.free = to_link(&slot);
  --size_;
  if (of.used-- == slots_per_block) open(of);
  if (of.used == 0) free_if_spare(of);
}

void slot_table::give_back_orphan(io_slot& slot) noexcept {
  block& of = block_of(slot);
  slot.flags = 0;
  if (--of.used == 0) free_record(&of);
}

}  // namespace tare::detail
