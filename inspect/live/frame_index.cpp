#include "inspect/live/frame_index.hpp"

#include <algorithm>

namespace tare::inspect {

void frame_index::add(std::span<const coroutine> all, std::uint32_t first, std::uint64_t load_bias) {
  entries_.resize(first + all.size());
  address_range range{.begin = ~std::uint64_t{0}, .end = 0};
  const auto placed = [&](std::uint64_t address) {
    if (address == 0) return address;
    address += load_bias;
    range.begin = std::min(range.begin, address);
    range.end = std::max(range.end, address + 1);
    return address;
  };
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const std::uint32_t number = first + i;
    auto& current = entries_[number];
    current.resume = placed(all[i].resume_address);
    current.destroy = placed(all[i].destroy_address);
    current.cleanup = placed(all[i].cleanup_address);
    if (current.resume != 0) by_resume_.push_back({.address = current.resume, .coroutine = number});
    if (current.destroy != 0) by_destroy_.push_back({.address = current.destroy, .coroutine = number});
    if (current.cleanup != 0) by_destroy_.push_back({.address = current.cleanup, .coroutine = number, .merged = true});
  }
  if (range.begin < range.end) ranges_.push_back(range);
}

void frame_index::finish() {
  std::ranges::sort(by_resume_);
  std::ranges::sort(by_destroy_);
}

std::optional<frame_index::match> frame_index::find(std::uint64_t first_word, std::uint64_t second_word) const {
  if (first_word == 0) {
    const auto found = std::ranges::lower_bound(by_destroy_, second_word, {}, &code_address::address);
    if (found == by_destroy_.end() || found->address != second_word) return std::nullopt;
    return match{.coroutine = found->coroutine, .ended = true, .merged = found->merged};
  }
  // A linker may have merged equal functions.
  for (auto place = std::ranges::lower_bound(by_resume_, first_word, {}, &code_address::address);
       place != by_resume_.end() && place->address == first_word; ++place) {
    const auto& known = entries_[place->coroutine];
    if (known.destroy == second_word || known.cleanup == second_word) {
      return match{.coroutine = place->coroutine, .ended = false, .merged = second_word != known.destroy};
    }
    if (known.destroy == 0 && known.cleanup == 0 && may_be_code(second_word))
      return match{.coroutine = place->coroutine};
  }
  return std::nullopt;
}

}  // namespace tare::inspect
