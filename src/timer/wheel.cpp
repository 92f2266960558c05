#include "timer/wheel.hpp"

#include <tare/detail/frame_memory.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace tare::detail {

wheel::wheel(std::uint64_t tick)
    : slots_(static_cast<list_links*>(allocate_record(slot_count * sizeof(list_links)))), present_(tick) {
  for (std::size_t slot = 0; slot < slot_count; ++slot) {
    const link self = to_link(&slots_[slot]);
    ::new (&slots_[slot]) list_links{.next = self, .prev = self};
  }
}

wheel::~wheel() {
  for (std::size_t slot = 0; slot < slot_count; ++slot) drop_crowd(slot);
  free_record(slots_);
}

void wheel::insert(wait_state& entry, std::uint64_t deadline) noexcept {
  if (deadline != last_.deadline || present_ != last_.present) find_slot(deadline);
  entry.asleep = 1;
  entry.set_tick(last_.tick);
  slot_crowd& of = crowds_[last_.slot];
  if (of.more != nullptr) {
    of.more->put(entry);  // the slot is marked
  } else if (++of.count <= crowd_from) {
    append_to(slots_[last_.slot], entry);
    mark(last_.slot);
  } else {
    append_first_of_crowd(last_.slot, entry);
  }
}

void wheel::find_slot(std::uint64_t deadline) noexcept {
  last_.deadline = deadline;
  last_.present = present_;
  deadline = std::clamp(deadline, present_, last_tick);
  for (;;) {
    const std::uint64_t distance = deadline - present_;
    unsigned level = 0;
    if (distance >> first_bits != 0) {
      level = (static_cast<unsigned>(std::bit_width(distance)) - 1 - first_bits) / level_bits + 1;
    }
    const unsigned low = lowest_bit(level);
    const unsigned shift = rounding(level);
    // Rounding up may move it to the next level.
    const std::uint64_t rounded = ((deadline >> shift) + ((deadline & ((std::uint64_t{1} << shift) - 1)) != 0))
                                  << shift;
    if (rounded != deadline && rounded <= last_tick) {
      deadline = rounded;
      continue;
    }
    last_.slot = static_cast<std::uint32_t>(first_slot(level) + ((deadline >> low) & (slots_of(level) - 1)));
    last_.tick = static_cast<std::uint32_t>((deadline & ((std::uint64_t{1} << low) - 1)) >> shift);
    return;
  }
}

void wheel::append_first_of_crowd(std::size_t slot, wait_state& entry) noexcept {
  slot_crowd& of = crowds_[slot];
  of.more = crowd::make();
  if (of.more != nullptr) {
    of.more->put(entry);
  } else {
    of.count = 0;  // tries again after as many entries
    append_to(slots_[slot], entry);
  }
}

void wheel::drop_crowd(std::size_t slot) noexcept {
  if (crowds_[slot].more != nullptr) crowd::destroy(*std::exchange(crowds_[slot].more, nullptr));
}

void wheel::remove(wait_state& entry) noexcept {
  from_link<list_links>(entry.prev)->next = entry.next;
  from_link<list_links>(entry.next)->prev = entry.prev;
  entry.asleep = 0;
  entry.set_kind(wait_kind::none);
}

std::optional<std::size_t> wheel::first_marked_of(unsigned level, std::size_t from) noexcept {
  const std::size_t first = first_slot(level);
  const std::size_t words = slots_of(level) / 64;
  // One full turn: the word of `from` is scanned first from that bit, and last up to it.
  for (std::size_t step = 0; step <= words; ++step) {
    const std::size_t word = (from / 64 + step) % words;
    const std::uint64_t up_from = ~std::uint64_t{0} << (from % 64);
    std::uint64_t& marks = marks_[first / 64 + word];
    std::uint64_t looked_at = marks;
    if (step == 0) looked_at &= up_from;
    if (step == words) looked_at &= ~up_from;
    for (; looked_at != 0; looked_at &= looked_at - 1) {
      const auto bit = static_cast<unsigned>(std::countr_zero(looked_at));
      if (!is_empty(first + word * 64 + bit)) return word * 64 + bit;
      unmark(first + word * 64 + bit);
    }
  }
  return std::nullopt;
}

std::optional<wheel::place> wheel::first_marked() noexcept {
  std::optional<place> earliest;
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned low = lowest_bit(level);
    const std::size_t slots = slots_of(level);
    // The slot that contains the present tick is due only if it begins with it; otherwise it is a whole turn away.
    const std::uint64_t next_digit = (present_ + (std::uint64_t{1} << low) - 1) >> low;
    const std::size_t from = next_digit & (slots - 1);
    const std::optional<std::size_t> digit = first_marked_of(level, from);
    if (!digit) continue;
    const std::uint64_t start = (next_digit + ((*digit - from) & (slots - 1))) << low;
    // Of two slots that begin together, the longer one comes first, because it may hold entries for the shorter one.
    if (!earliest || start <= earliest->start) earliest = place{.level = level, .digit = *digit, .start = start};
  }
  return earliest;
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
