#include "inspect/machine/changed_registers.hpp"

namespace tare::inspect {

std::uint16_t changed_registers::by(std::uint64_t function, int depth) {
  constexpr int max_depth = 3;
  constexpr std::uint64_t max_bytes = 2048;
  if (const auto known = known_.find(function); known != known_.end()) return known->second;
  known_[function] = changed_by_convention;
  const function_symbol* symbol = code_.function_at(function);
  if (depth > max_depth || symbol == nullptr || symbol->address != function || symbol->bytes == 0 ||
      symbol->bytes > max_bytes) {
    return changed_by_convention;
  }
  std::uint16_t changed = 0;
  const auto bytes = code_.read(function, symbol->bytes);
  for (std::size_t index = 0; index < bytes.size();) {
    const auto insn = decoder_.decode(bytes.subspan(index), function + index);
    if (!insn) return changed_by_convention;
    index += insn->size;
    changed |= insn->defines;
    const bool jumps = insn->what == operation::jump || insn->what == operation::conditional_jump;
    if (insn->what != operation::call && !jumps) continue;
    const auto target = insn->direct_target();
    if (!target) return changed_by_convention;
    if (jumps && *target >= function && *target < function + symbol->bytes) continue;
    changed |= by(*target, depth + 1);
  }
  return known_[function] = changed & changed_by_convention;
}

}  // namespace tare::inspect
