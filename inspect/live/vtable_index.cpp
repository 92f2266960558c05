#include "inspect/live/vtable_index.hpp"

#include <algorithm>

namespace tare::inspect {

void vtable_index::add(std::span<const future_vtable> all, std::uint32_t first, std::uint64_t load_bias) {
  for (auto each : all) {
    each.address += load_bias;
    each.coroutine += first;
    vtables_.push_back(each);
  }
}

void vtable_index::finish() {
  std::ranges::sort(vtables_, {}, &future_vtable::address);
  if (!vtables_.empty()) range_ = {.begin = vtables_.front().address, .end = vtables_.back().address + 1};
}

const future_vtable* vtable_index::find(std::uint64_t word) const {
  const auto found = std::ranges::lower_bound(vtables_, word, {}, &future_vtable::address);
  return found == vtables_.end() || found->address != word ? nullptr : &*found;
}

}  // namespace tare::inspect
