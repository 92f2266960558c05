#include "inspect/live/areas.hpp"

#include <algorithm>

namespace tare::inspect {
namespace {

/// Larger regions are shadow memory of sanitizers: to query which of their pages exist would take minutes.
constexpr std::uint64_t max_region = std::uint64_t{256} << 30U;

/// Divides a region into areas. `stacks` are sorted by their ends; `guarded` says whether inaccessible memory lies
/// below the region, as it does below the stack of a thread.
std::vector<area> areas_of(const address_space& memory, const memory_region& region, bool guarded,
                           std::span<const address_range> covered, std::span<const address_range> stacks) {
  std::vector<area> special;
  std::vector<address_range> dead(covered.begin(), covered.end());
  // In a core file the region of the heap has no name.
  if (region.path == "[heap]" || region.path.empty()) {
    if (const auto heap = main_heap(memory, region); heap) {
      special.push_back({.where = heap->where, .kind = area_kind::heap, .heap = *heap, .region = &region});
    }
  }
  for (const auto& heap : thread_heaps(memory, region)) {
    special.push_back({.where = heap.where, .kind = area_kind::heap, .heap = heap, .region = &region});
  }
  bool used = false;
  for (const auto& stack : std::ranges::equal_range(stacks, region.where.end, {}, &address_range::end)) {
    if (!region.where.contains(stack.begin)) continue;
    used = true;
    // What lies below the stack pointer is left over from calls that have returned.
    special.push_back({.where = stack, .kind = area_kind::stack, .region = &region});
    constexpr std::uint64_t max_stack_bytes = std::uint64_t{8} << 20U;
    const std::uint64_t room = stack.begin - region.where.begin;
    dead.push_back({.begin = stack.begin - std::min(room, max_stack_bytes), .end = stack.begin});
  }
  // The stack of a thread that has ended, or whose stack pointer is unknown because it is running, is skipped.
  const bool stack = region.path == "[stack]" || (guarded && special.empty() && is_thread_stack(memory, region));
  if (stack && !used) return {};
  std::ranges::sort(dead, {}, &address_range::begin);
  std::ranges::sort(special, {}, [](const area& each) { return each.where.begin; });
  std::vector<area> areas;
  std::uint64_t address = region.where.begin;
  const auto add_rest = [&](std::uint64_t end) {
    // Arenas are walked separately.
    for (const auto& skipped : dead) {
      if (skipped.end <= address || skipped.begin >= end) continue;
      if (skipped.begin > address)
        areas.push_back({.where = {.begin = address, .end = skipped.begin}, .region = &region});
      address = std::min(skipped.end, end);
    }
    if (address < end) areas.push_back({.where = {.begin = address, .end = end}, .region = &region});
    address = std::max(address, end);
  };
  for (const auto& each : special) {
    if (each.where.begin < address) continue;
    add_rest(each.where.begin);
    areas.push_back(each);
    address = each.where.end;
  }
  add_rest(region.where.end);
  return areas;
}

}  // namespace

area_list find_areas(const address_space& memory, std::span<const address_range> covered) {
  area_list found;
  auto stacks = memory.stacks();
  std::ranges::sort(stacks, {}, &address_range::end);
  const memory_region* before = nullptr;
  for (const auto& region : memory.regions()) {
    const bool guarded = before != nullptr && !before->readable && before->where.end == region.where.begin;
    before = &region;
    if (!region.readable || !region.writable || region.shared || region.path.starts_with("/dev/")) continue;
    if (region.where.bytes() > max_region) {
      ++found.skipped;
      continue;
    }
    auto parts = areas_of(memory, region, guarded, covered, stacks);
    found.areas.insert(found.areas.end(), parts.begin(), parts.end());
  }
  return found;
}

void block_reader::for_each(const area& area,
                            const std::function<void(std::uint64_t, std::span<const std::byte>, std::uint64_t)>& use) {
  constexpr std::uint64_t word = 8;
  for (const auto& range : memory_.present(*area.region)) {
    const std::uint64_t begin = std::max(range.begin, area.where.begin);
    const std::uint64_t end = std::min(range.end, area.where.end);
    for (std::uint64_t address = begin; address < end; address += block_bytes) {
      const std::uint64_t wanted = std::min<std::uint64_t>(block_bytes + word, end - address);
      const auto block = std::span(*buffer_).first(memory_.read(address, std::span(*buffer_).first(wanted)));
      if (block.size() < 2 * word) break;
      use(address, block, std::min<std::uint64_t>(block.size(), block_bytes));
      if (block.size() != wanted) break;
    }
  }
}

}  // namespace tare::inspect
