#include "inspect/machine/jump_tables.hpp"

#include "inspect/machine/arithmetic.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t max_table_entries = 1024;
/// Numbers that cannot occur have entries too, which point anywhere: a table ends after so many in a row.
constexpr int max_stray_entries = 16;

}  // namespace

std::optional<std::uint64_t> jump_tables::constant_at(std::uint64_t address, std::uint32_t bytes) const {
  if (bytes == 0 || bytes > 8 || !code_.is_constant(address)) return std::nullopt;
  const auto content = code_.read(address, bytes);
  if (content.size() < bytes) return std::nullopt;
  std::uint64_t number = 0;
  std::memcpy(&number, content.data(), bytes);
  return number;
}

std::optional<value> jump_tables::load(const machine_state& state, const instruction& insn, std::uint32_t bytes) {
  const memory_operand& memory = insn.memory;
  if (memory.index == no_register || memory.base < 0 || memory.base >= register_count) return std::nullopt;
  const origin name = from_table | insn.address;
  const bool is_signed = insn.what == operation::move_sign_extended;
  const value& first = state.registers[register_index(memory.base)];
  const value& second = state.registers[register_index(memory.index)];
  const auto add = [&](std::uint64_t address, bool sign, value index) {
    tables_[name] = {.address = address + static_cast<std::uint64_t>(memory.displacement),
                     .entry_bytes = bytes,
                     .is_signed = sign,
                     .index = std::move(index)};
    return value::of(name);
  };
  // "movsxd rax, [table + index * 4]"
  const auto base = first.known();
  if (base && memory.scale == bytes && (bytes == 4 || bytes == 8)) return add(*base, is_signed || bytes == 8, second);
  // The same as g++ has it without optimization: "mov eax, [rdx + rax]", where rdx is four times the number.
  const auto place = second.known();
  if (place && memory.scale == 1 && bytes == 4) return add(*place, is_signed, first);
  return std::nullopt;
}

bool jump_tables::extend(const value& loaded) {
  const auto known = tables_.find(loaded.base);
  if (known == tables_.end()) return false;
  known->second.is_signed = true;
  return true;
}

std::uint64_t jump_tables::length_of(const table& one, const switch_bounds& bounds) const {
  if (const auto count = bounds.count_of(one.index)) return std::min(*count, max_table_entries);
  std::uint64_t length = max_table_entries;
  for (const auto& [name, other] : tables_) {
    if (other.address > one.address) length = std::min(length, (other.address - one.address) / one.entry_bytes);
  }
  return length;
}

std::vector<std::uint64_t> jump_tables::entries(const table& from, std::int64_t added, const switch_bounds& bounds,
                                                const std::function<bool(std::uint64_t)>& inside) const {
  std::vector<std::uint64_t> found;
  const std::uint64_t length = length_of(from, bounds);
  int strays = 0;
  for (std::uint64_t i = 0; i < length && strays < max_stray_entries; ++i) {
    const auto entry = constant_at(from.address + i * from.entry_bytes, from.entry_bytes);
    if (!entry) break;
    const auto distance = from.is_signed ? static_cast<std::uint64_t>(sign_extended(*entry, from.entry_bytes)) : *entry;
    const std::uint64_t place = static_cast<std::uint64_t>(added) + distance;
    if (inside(place)) {
      found.push_back(place);
      strays = 0;
    } else {
      ++strays;
    }
  }
  return found;
}

std::vector<std::uint64_t> jump_tables::targets(const value& target, const switch_bounds& bounds,
                                                const std::function<bool(std::uint64_t)>& inside) const {
  if (!target.is_constant()) {
    const auto known = tables_.find(target.base);
    if (known == tables_.end()) return {};
    return entries(known->second, target.offset, bounds, inside);
  }
  std::vector<std::uint64_t> found;
  found.reserve(target.constants.size());
  for (const auto& each : target.constants) found.push_back(each.value);
  return found;
}

std::vector<std::uint64_t> jump_tables::targets(const machine_state& state, const instruction& jump,
                                                const switch_bounds& bounds,
                                                const std::function<bool(std::uint64_t)>& inside) const {
  const memory_operand& memory = jump.memory;
  if (memory.index < 0 || memory.index >= register_count || memory.base != no_register || memory.scale != 8) return {};
  return entries({.address = static_cast<std::uint64_t>(memory.displacement),
                  .entry_bytes = 8,
                  .is_signed = false,
                  .index = state.registers[register_index(memory.index)]},
                 0, bounds, inside);
}

}  // namespace tare::inspect
