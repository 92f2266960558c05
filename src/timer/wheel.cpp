#include "timer/wheel.hpp"

#include <tare/detail/frame_memory.hpp>

#include <algorithm>
#include <new>

namespace tare::detail {

wheel::wheel(std::uint64_t tick)
    : slots_(static_cast<list_links*>(allocate_record(slot_count * sizeof(list_links)))), present_(tick) {
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    const link self = to_link(&slots_[slot]);
    ::new (&slots_[slot]) list_links{.next = self, .prev = self};
  }
}

wheel::~wheel() { free_record(slots_); }

void wheel::insert(wait_state& entry, std::uint64_t deadline) noexcept {
  deadline = std::clamp(deadline, present_, last_tick);
  for (;;) {
    const std::uint64_t difference = deadline ^ present_;
    unsigned level = 0;
    if (difference >> first_bits != 0) {
      level = (static_cast<unsigned>(std::bit_width(difference)) - 1 - first_bits) / level_bits + 1;
    }
    const unsigned low = lowest_bit(level);
    const unsigned shift = rounding(level);
    // Rounding up may carry into the digit that chose the level; then choose again.
    const std::uint64_t rounded = ((deadline >> shift) + ((deadline & ((std::uint64_t{1} << shift) - 1)) != 0))
                                  << shift;
    if (rounded != deadline && rounded <= last_tick) {
      deadline = rounded;
      continue;
    }
    const std::size_t slot = first_slot(level) + ((deadline >> low) & (slots_of(level) - 1));
    entry.asleep = 1;
    entry.tick = static_cast<std::uint32_t>((deadline & ((std::uint64_t{1} << low) - 1)) >> shift) & 0xFFFFFU;
    append(slot, entry);
    mark(slot);
    return;
  }
}

void wheel::append(std::size_t slot, wait_state& entry) noexcept {
  list_links& end = slots_[slot];
  const link self = to_link(&entry);
  entry.next = to_link(&end);
  entry.prev = end.prev;
  from_link<list_links>(end.prev)->next = self;
  end.prev = self;
}

void wheel::remove(wait_state& entry) noexcept {
  from_link<list_links>(entry.prev)->next = entry.next;
  from_link<list_links>(entry.next)->prev = entry.prev;
  entry.asleep = 0;
  entry.set_kind(wait_kind::none);
}

wait_state& wheel::take_first(std::size_t slot) noexcept {
  auto& entry = *from_link<wait_state>(slots_[slot].next);
  slots_[slot].next = entry.next;
  from_link<list_links>(entry.next)->prev = entry.prev;
  entry.asleep = 0;
  return entry;
}

std::optional<wheel::place> wheel::first_marked() noexcept {
  // Entries of a lower level are all due before those of a higher one.
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned low = lowest_bit(level);
    const std::size_t first = first_slot(level);
    const std::size_t words = slots_of(level) / 64;
    for (std::size_t word = 0; word < words; ++word) {
      std::uint64_t& marks = marks_[first / 64 + word];
      while (marks != 0) {
        const auto bit = static_cast<std::size_t>(std::countr_zero(marks));
        const std::size_t digit = word * 64 + bit;
        if (is_empty(first + digit)) {
          marks &= marks - 1;
          continue;
        }
        const std::uint64_t above = low + (level == 0 ? first_bits : level_bits);
        const std::uint64_t start = (present_ >> above << above) | (std::uint64_t{digit} << low);
        return place{.level = level, .digit = digit, .start = start};
      }
    }
  }
  return std::nullopt;
}

bool wheel::idle() const noexcept {
  return std::ranges::all_of(marks_, [](std::uint64_t word) { return word == 0; });
}

std::optional<std::uint64_t> wheel::next_tick() noexcept {
  const std::optional<place> first = first_marked();
  if (!first) return std::nullopt;
  return std::max(first->start, present_);
}

}  // namespace tare::detail
