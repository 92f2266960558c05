#include "inspect/memory/address_space.hpp"

#include <algorithm>

namespace tare::inspect {

const memory_region* address_space::region_at(std::uint64_t address) const noexcept {
  const auto all = regions();
  const auto after =
      std::ranges::upper_bound(all, address, {}, [](const memory_region& region) { return region.where.begin; });
  if (after == all.begin()) return nullptr;
  const auto& before = *(after - 1);
  return before.where.contains(address) ? &before : nullptr;
}

std::vector<std::uint64_t> address_space::resident() const {
  std::vector<std::uint64_t> all;
  for (const auto& region : regions()) {
    std::uint64_t bytes = 0;
    for (const auto& range : present(region)) bytes += range.bytes();
    all.push_back(bytes);
  }
  return all;
}

}  // namespace tare::inspect
