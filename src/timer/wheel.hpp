#pragma once

// A hierarchical timer wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987) whose entries are
// the wait states of sleeping tasks: 12 bytes of links and deadline; the wheel itself needs memory only for the slots.
//
// Level 0 has a slot for each of 256 ticks; every further level has 64 slots, each as long as the whole level below. An
// entry is on the lowest level whose range includes its deadline, in the slot of the deadline's digit, and moves down
// when that slot is due. The position of a slot thus implies the high digits of its entries' deadlines, and only the
// low ones are stored: 20 bits. They suffice up to 2^26 ticks (18.6 hours); above, the deadline is rounded up to 2^6,
// 2^12, ... ticks, less than a millionth of the distance.
//
// A slot may hold millions of entries. It is emptied in steps: the slot and the wheel's present do not advance until it
// is empty. Meanwhile timers expire late, but the rest of the shard gets its turns.
//
// From its 257th entry on, a slot distributes them over several lists (crowd.hpp), because with one list emptying it
// would be a chain of cache misses.
//
// Insertion and removal are O(1). Removal does not need the slot, because lists are circular, with their sentinels in
// the arena. `mark`s of slots emptied by removal are cleared when they are encountered.

#include "timer/crowd.hpp"

#include <tare/detail/wait_state.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tare::detail {

class wheel {
 public:
  /// Throws std::bad_alloc. `tick` is the present.
  explicit wheel(std::uint64_t tick);
  ~wheel();
  wheel(const wheel&) = delete;
  wheel& operator=(const wheel&) = delete;

  /// Deadlines in the past expire at the next `advance`; those beyond `last_tick` are reduced to it.
  void insert(wait_state& entry, std::uint64_t deadline) noexcept;
  static void remove(wait_state& entry) noexcept;

  /// Calls `expired(wait_state&)` for every entry whose deadline is `tick` or earlier, in order of deadlines, and
  /// of insertion unless there are hundreds in a slot. The callback may insert and remove entries. After `most` entries
  /// have expired or moved down it returns true: there may be more for the next call. Entries inserted in between count
  /// from where this call has stopped.
  template <class Callback>
  bool advance(std::uint64_t tick, Callback expired, std::size_t most = SIZE_MAX) noexcept;

  /// No entry expires before this tick; nullopt if there are no entries.
  [[nodiscard]] std::optional<std::uint64_t> next_tick() noexcept;

  /// True if nothing has been inserted since the wheel was last found empty.
  [[nodiscard]] bool idle() const noexcept;

  [[nodiscard]] std::uint64_t present() const noexcept { return present_; }

  /// Calls `visit(wait_state&)` for every entry; it may remove the entry it is given.
  template <class Callback>
  void for_each(Callback visit) noexcept;

  static constexpr unsigned first_bits = 8;
  static constexpr unsigned level_bits = 6;
  static constexpr unsigned levels = 8;  // level 0, and seven more
  static constexpr std::uint64_t last_tick = (std::uint64_t{1} << (first_bits + (levels - 1) * level_bits)) - 1;

 private:
  static constexpr std::size_t first_slots = std::size_t{1} << first_bits;
  static constexpr std::size_t level_slots = std::size_t{1} << level_bits;
  static constexpr std::size_t slot_count = first_slots + (levels - 1) * level_slots;

  [[nodiscard]] static constexpr unsigned lowest_bit(unsigned level) noexcept {
    return level == 0 ? 0 : first_bits + (level - 1) * level_bits;
  }
  [[nodiscard]] static constexpr unsigned rounding(unsigned level) noexcept {
    return lowest_bit(level) > stored_tick_bits ? lowest_bit(level) - stored_tick_bits : 0;
  }
  [[nodiscard]] static constexpr std::size_t first_slot(unsigned level) noexcept {
    return level == 0 ? 0 : first_slots + (level - 1) * level_slots;
  }
  [[nodiscard]] static constexpr std::size_t slots_of(unsigned level) noexcept {
    return level == 0 ? first_slots : level_slots;
  }

  struct place {
    unsigned level;
    std::size_t digit;
    std::uint64_t start;  ///< the slot's first tick
  };
  /// The slot of an entry, and the part of its deadline that it stores.
  void find_slot(std::uint64_t deadline) noexcept;
  [[nodiscard]] std::optional<place> first_marked() noexcept;
  /// The first slot of a level that has entries, going around from the digit `from`.
  [[nodiscard]] std::optional<std::size_t> first_marked_of(unsigned level, std::size_t from) noexcept;
  [[nodiscard]] bool is_empty(std::size_t slot) const noexcept {
    if (slots_[slot].next != to_link(&slots_[slot])) return false;
    return crowds_[slot].more == nullptr || crowds_[slot].more->is_empty();
  }
  void mark(std::size_t slot) noexcept { marks_[slot / 64] |= std::uint64_t{1} << (slot % 64); }
  void unmark(std::size_t slot) noexcept {
    marks_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    crowds_[slot].count = 0;
    if (crowds_[slot].more != nullptr) drop_crowd(slot);
  }
  [[nodiscard]] bool is_marked(std::size_t slot) const noexcept { return (marks_[slot / 64] >> (slot % 64) & 1U) != 0; }
  /// The slot's next entry, or nullptr.
  [[nodiscard]] wait_state* take_first(std::size_t slot) noexcept {
    list_links& first = slots_[slot];
    if (first.next != to_link(&first)) return &take_first_of(first);
    crowd* const more = crowds_[slot].more;
    return more == nullptr ? nullptr : more->take();
  }
  void append_first_of_crowd(std::size_t slot, wait_state& entry) noexcept;
  void drop_crowd(std::size_t slot) noexcept;

  struct slot_crowd {
    std::uint32_t count = 0;  ///< entries inserted since the slot was last found empty, or since memory was refused
    crowd* more = nullptr;
  };
  static constexpr std::uint32_t crowd_from = 256;

  list_links* slots_;  ///< sentinels, in the arena
  std::array<slot_crowd, slot_count> crowds_{};
  std::array<std::uint64_t, slot_count / 64> marks_{};
  std::uint64_t present_;
  // The slot of the last entry: the next one often has the same deadline, because ticks are long.
  struct insertion {
    std::uint64_t deadline = 0;
    std::uint64_t present = ~std::uint64_t{0};
    std::uint32_t slot = 0;
    std::uint32_t tick = 0;
  };
  insertion last_;
};

template <class Callback>
bool wheel::advance(std::uint64_t tick, Callback expired, std::size_t most) noexcept {
  if (tick > last_tick) tick = last_tick;
  while (const std::optional<place> next = first_marked()) {
    if (next->start > tick) break;
    if (next->start > present_) present_ = next->start;
    const std::size_t slot = first_slot(next->level) + next->digit;
    if (next->level == 0) {
      // An entry that the callback inserts for the current tick goes to the end of this list and expires too.
      for (;; --most) {
        if (most == 0 && !is_empty(slot)) return true;
        wait_state* const entry = take_first(slot);
        if (entry == nullptr) break;
        expired(*entry);
      }
      unmark(slot);
      continue;
    }
    const unsigned shift = rounding(next->level);
    // Nothing is put back into this slot, because its entries are now less than its length away.
    for (;; --most) {
      if (most == 0 && !is_empty(slot)) return true;
      wait_state* const entry = take_first(slot);
      if (entry == nullptr) break;
      insert(*entry, next->start + (std::uint64_t{entry->tick()} << shift));
    }
    unmark(slot);
  }
  if (tick > present_) present_ = tick;
  return false;
}

template <class Callback>
void wheel::for_each(Callback visit) noexcept {
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    if (!is_marked(slot)) continue;
    for_each_in(slots_[slot], visit);
    if (crowds_[slot].more != nullptr) crowds_[slot].more->for_each(visit);
  }
}

}  // namespace tare::detail
