#include "inspect/machine/value.hpp"

#include <algorithm>
#include <iterator>

namespace tare::inspect {
namespace {

constexpr std::size_t max_constants = 96;
constexpr std::size_t max_cells = 1024;
/// Marks the names of values joined from different paths; addresses of code never have this bit.
constexpr origin meeting = origin{1} << 63;

origin name_of_meeting(std::uint64_t place, std::uint64_t what) {
  std::uint64_t mixed = (place * 0x9e3779b97f4a7c15U) ^ (what * 0xc2b2ae3d27d4eb4fU);
  mixed ^= mixed >> 29;
  return mixed | meeting;
}

bool join_value(value& target, const value& other, origin name, bool end_soon) {
  if (target == other) return false;
  if (target.base == name && target.offset == 0) return false;
  if (target.is_constant() && other.is_constant() && !end_soon) {
    std::vector<constant> both;
    std::ranges::set_union(target.constants, other.constants, std::back_inserter(both));
    if (both.size() == target.constants.size()) return false;
    if (both.size() <= max_constants) {
      target.constants = std::move(both);
      return true;
    }
  }
  target = value::of(name);
  return true;
}

}  // namespace

machine_state machine_state::at_entry() {
  machine_state state;
  for (std::size_t i = 0; i < state.registers.size(); ++i) state.registers[i] = value::of(origin{8} + i);
  state.registers[rdi] = value::of(first_argument_origin);
  state.registers[rsp] = value::of(stack_origin);
  return state;
}

bool machine_state::join(const machine_state& other, std::uint64_t place, bool end_soon) {
  bool changed = false;
  for (std::size_t i = 0; i < registers.size(); ++i) {
    changed |= join_value(registers[i], other.registers[i], name_of_meeting(place, i), end_soon);
  }
  for (auto found = memory.begin(); found != memory.end();) {
    const auto theirs = other.memory.find(found->first);
    if (theirs == other.memory.end() || theirs->second.bytes != found->second.bytes) {
      found = memory.erase(found);
      changed = true;
      continue;
    }
    const origin name = name_of_meeting(
        place, (found->first.first * 0x100000001b3U) ^ static_cast<std::uint64_t>(found->first.second) ^ 64U);
    changed |= join_value(found->second.content, theirs->second.content, name, end_soon);
    ++found;
  }
  return changed;
}

const cell* machine_state::load(const value& address, std::uint32_t bytes) const {
  if (address.is_constant()) return nullptr;
  const auto found = memory.find({address.base, address.offset});
  return found == memory.end() || found->second.bytes < bytes ? nullptr : &found->second;
}

void machine_state::store(const value& address, std::uint32_t bytes, value content) {
  if (address.is_constant()) return;
  // Overlapping cells are no longer known. No cell is wider than 8 bytes, so none that overlaps begins further below.
  auto found = memory.lower_bound({address.base, address.offset - 7});
  while (found != memory.end() && found->first.first == address.base && found->first.second < address.offset + bytes) {
    if (found->first.second + found->second.bytes > address.offset) {
      found = memory.erase(found);
    } else {
      ++found;
    }
  }
  if (bytes == 0 || bytes > 8 || memory.size() >= max_cells) return;
  memory[{address.base, address.offset}] = cell{.content = std::move(content), .bytes = bytes};
}

}  // namespace tare::inspect
