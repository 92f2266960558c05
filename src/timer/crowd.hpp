#pragma once

// Where a slot of the timer wheel keeps its entries from the 257th on: in several lists, one after the other.
//
// Whoever follows one list of entries that are not in the cache waits for each of them, because only the entry knows
// where the next one is. Entries of several lists arrive at the same time. While no entry is removed, they are taken in
// the order in which they were put.

#include <tare/detail/wait_state.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace tare::detail {

class crowd {
 public:
  crowd() noexcept;
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd() = default;

  /// In the arena; nullptr if there is no memory.
  [[nodiscard]] static crowd* make() noexcept;
  static void destroy(crowd& made) noexcept;

  void put(wait_state& entry) noexcept;
  /// The next entry, or nullptr.
  [[nodiscard]] wait_state* take() noexcept;
  [[nodiscard]] bool is_empty() const noexcept;

  template <class Callback>
  void for_each(Callback visit) noexcept;

 private:
  static constexpr std::size_t list_count = 15;  // and what else is in this object: 128 bytes

  [[nodiscard]] static std::uint8_t after(std::uint8_t list) noexcept {
    return list + 1U == list_count ? std::uint8_t{0} : static_cast<std::uint8_t>(list + 1U);
  }
  [[nodiscard]] bool is_empty(std::size_t list) const noexcept { return ends_[list].next == to_link(&ends_[list]); }

  std::array<list_links, list_count> ends_;  ///< sentinels
  std::uint8_t put_next_ = 0;
  std::uint8_t take_next_ = 0;
};

/// Adds an entry to the list whose sentinel this is, and takes the first one out.
inline void append_to(list_links& end, wait_state& entry) noexcept {
  const link self = to_link(&entry);
  entry.next = to_link(&end);
  entry.prev = end.prev;
  from_link<list_links>(end.prev)->next = self;
  end.prev = self;
}
[[nodiscard]] inline wait_state& take_first_of(list_links& end) noexcept {
  auto& entry = *from_link<wait_state>(end.next);
  end.next = entry.next;
  from_link<list_links>(entry.next)->prev = entry.prev;
  entry.asleep = 0;
  return entry;
}
/// Calls `visit(wait_state&)`, which may remove the entry it is given.
template <class Callback>
void for_each_in(list_links& end, Callback visit) noexcept {
  for (link at = end.next; at != to_link(&end);) {
    auto& entry = *from_link<wait_state>(at);
    at = entry.next;
    visit(entry);
  }
}

inline void crowd::put(wait_state& entry) noexcept {
  append_to(ends_[put_next_], entry);
  put_next_ = after(put_next_);
}

inline wait_state* crowd::take() noexcept {
  std::uint8_t list = take_next_;
  for (std::size_t skipped = 0; is_empty(list); list = after(list)) {
    if (++skipped == list_count) return nullptr;
  }
  take_next_ = after(list);
  return &take_first_of(ends_[list]);
}

template <class Callback>
void crowd::for_each(Callback visit) noexcept {
  for (list_links& end : ends_) for_each_in(end, visit);
}

}  // namespace tare::detail
