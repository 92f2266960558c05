#include "inspect/machine/interpreter.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tare::inspect {
namespace {

/// rax, rcx, rdx, rsi, rdi, r8 to r11: what a callee need not keep.
constexpr std::uint16_t any_by_convention = 0x0fc7;
constexpr origin from_table = origin{1} << 62;
constexpr std::uint64_t max_table_entries = 1024;
/// Numbers that cannot occur have entries too, which point anywhere: a table ends after so many in a row.
constexpr int max_stray_entries = 16;

std::uint64_t mask(std::uint32_t bytes) {
  return bytes >= 8 || bytes == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << (bytes * 8)) - 1;
}

std::int64_t sign_extended(std::uint64_t number, std::uint32_t bytes) {
  switch (bytes) {
    case 1:
      return static_cast<std::int8_t>(number);
    case 2:
      return static_cast<std::int16_t>(number);
    case 4:
      return static_cast<std::int32_t>(number);
    default:
      return static_cast<std::int64_t>(number);
  }
}

/// A value that is only known by the instruction that made it.
value made_by(const instruction& one, int which = 0) {
  return value::of(one.address * 32 + 128 + static_cast<origin>(which));
}

value truncated(value from, std::uint32_t bytes) {
  if (from.is_constant() && bytes < 8) {
    for (auto& each : from.constants) each.value &= mask(bytes);
    std::ranges::sort(from.constants);
  }
  return from;
}

/// Both operands constant: each with each, as long as there are few.
template <class F>
std::optional<value> combine(const value& left, const value& right, const instruction& one, F&& compute) {
  constexpr std::size_t most = 64;
  if (!left.is_constant() || !right.is_constant() || left.constants.empty() || right.constants.empty()) {
    return std::nullopt;
  }
  if (left.constants.size() * right.constants.size() > most) return std::nullopt;
  value result;
  for (const auto& a : left.constants) {
    for (const auto& b : right.constants) {
      result.constants.push_back({compute(a.value, b.value), one.address});
    }
  }
  std::ranges::sort(result.constants);
  const auto [first, last] = std::ranges::unique(result.constants);
  result.constants.erase(first, last);
  return result;
}

bool follows_pointer(const value& content) {
  return !content.is_constant() && content.base != stack_origin && (content.base & from_table) == 0;
}

}  // namespace

std::optional<std::uint64_t> interpreter::constant_at(std::uint64_t address, std::uint32_t bytes) const {
  if (bytes == 0 || bytes > 8 || !code_.is_constant(address)) return std::nullopt;
  const auto content = code_.read(address, bytes);
  if (content.size() < bytes) return std::nullopt;
  std::uint64_t number = 0;
  std::memcpy(&number, content.data(), bytes);
  return number;
}

origin interpreter::name_of_result(const instruction& one) { return made_by(one).base; }

value interpreter::address_of(const machine_state& state, const instruction& one) const {
  const memory_operand& memory = one.memory;
  const auto displacement = static_cast<std::uint64_t>(memory.displacement);
  if (memory.in_segment) return made_by(one, 7);
  if (memory.base == instruction_pointer) return value::of(constant{one.next() + displacement, one.address});
  value sum = memory.base == no_register ? value::of(constant{displacement, one.address})
                                         : state.registers[register_index(memory.base)];
  if (memory.base != no_register) {
    if (sum.is_constant()) {
      for (auto& each : sum.constants) each.value += displacement;
    } else {
      sum.offset += memory.displacement;
    }
  }
  if (memory.index != no_register) {
    const value& index = state.registers[register_index(memory.index)];
    const auto known = index.known();
    if (!known) {
      // "lea rax, [rcx + rbx]" may have the pointer as its index.
      if (sum.is_constant() && memory.scale == 1 && !index.is_constant()) {
        value other = index;
        if (const auto distance = sum.known()) {
          other.offset += static_cast<std::int64_t>(*distance);
          return other;
        }
      }
      return made_by(one, 6);
    }
    const std::uint64_t distance = *known * memory.scale;
    if (sum.is_constant()) {
      for (auto& each : sum.constants) each.value += distance;
    } else {
      sum.offset += static_cast<std::int64_t>(distance);
    }
  }
  return sum;
}

value interpreter::loaded(const machine_state& state, const instruction& one, std::uint32_t bytes) {
  const value address = address_of(state, one);
  if (const cell* known = state.load(address, bytes)) return truncated(known->content, bytes);
  if (const auto place = address.known()) {
    if (const auto number = constant_at(*place, bytes)) return value::of(constant{*number, one.address});
  }
  // "movsxd rax, [table + index * 4]"
  if (one.memory.index != no_register && one.memory.base >= 0 && one.memory.base < register_count) {
    const auto base = state.registers[register_index(one.memory.base)].known();
    if (base && one.memory.scale == bytes && (bytes == 4 || bytes == 8)) {
      const origin name = from_table | one.address;
      tables_[name] = {.address = *base + static_cast<std::uint64_t>(one.memory.displacement),
                       .entry_bytes = bytes,
                       .is_signed = one.what == operation::move_sign_extended || bytes == 8};
      return value::of(name);
    }
    // The same as g++ has it without optimization: "mov eax, [rdx + rax]", where rdx is four times the number.
    const auto other = state.registers[register_index(one.memory.index)].known();
    if (other && one.memory.scale == 1 && bytes == 4) {
      const origin name = from_table | one.address;
      tables_[name] = {.address = *other + static_cast<std::uint64_t>(one.memory.displacement),
                       .entry_bytes = bytes,
                       .is_signed = one.what == operation::move_sign_extended};
      return value::of(name);
    }
  }
  return made_by(one);
}

value interpreter::operand_value(const machine_state& state, const instruction& one, const operand& from,
                                 const access_sink& tell) {
  switch (from.what) {
    case operand::kind::in_register: {
      if (!from.general || from.number >= register_count) return made_by(one, 1);
      if (from.high_byte) return made_by(one, 2);
      return truncated(state.registers[register_index(from.number)], from.bytes);
    }
    case operand::kind::immediate:
      return value::of(constant{static_cast<std::uint64_t>(from.value), one.address});
    case operand::kind::in_memory: {
      const value address = address_of(state, one);
      if (!address.is_constant()) {
        tell({.what = memory_access::kind::read,
              .base = address.base,
              .offset = address.offset,
              .bytes = from.bytes,
              .instruction = one.address});
      }
      return loaded(state, one, from.bytes);
    }
    case operand::kind::none:
      break;
  }
  return made_by(one, 3);
}

void interpreter::touch_indexed(const machine_state& state, const instruction& one, const access_sink& tell) {
  const memory_operand& memory = one.memory;
  if (memory.index == no_register || memory.base < 0 || memory.base >= register_count || memory.in_segment) return;
  value pointer = state.registers[register_index(memory.base)];
  value index = state.registers[register_index(memory.index)];
  if (!follows_pointer(pointer) && memory.scale == 1) std::swap(pointer, index);
  if (!follows_pointer(pointer) || index.known()) return;
  memory_access access{.base = pointer.base,
                       .offset = pointer.offset + memory.displacement,
                       .bytes = memory.bytes,
                       .whole = false,
                       .indexed = !index.is_constant(),
                       .instruction = one.address};
  const auto touch = [&](std::uint64_t distance) {
    access.offset = pointer.offset + memory.displacement + static_cast<std::int64_t>(distance);
    for (const auto& [happens, what] :
         {std::pair(one.what == operation::load_address, memory_access::kind::passed),
          std::pair(one.loads, memory_access::kind::read), std::pair(one.stores, memory_access::kind::write)}) {
      if (!happens) continue;
      access.what = what;
      tell(access);
    }
  };
  if (access.indexed) touch(0);
  for (const auto& each : index.constants) touch(each.value * memory.scale);
}

void interpreter::assign(machine_state& state, const instruction& one, const operand& to, value content,
                         const access_sink& tell) {
  if (to.what == operand::kind::in_register) {
    if (!to.general || to.number >= register_count) {
      // A pointer that goes into a vector register is not followed any further.
      if (follows_pointer(content)) {
        tell({.what = memory_access::kind::passed,
              .base = content.base,
              .offset = content.offset,
              .instruction = one.address});
      }
      return;
    }
    if (to.high_byte) {
      state.registers[register_index(to.number)] = made_by(one, 4);
      return;
    }
    // The upper half of a register is cleared with its lower half; smaller parts are only looked at by themselves.
    state.registers[register_index(to.number)] = truncated(std::move(content), to.bytes);
    return;
  }
  if (to.what != operand::kind::in_memory) return;
  const value address = address_of(state, one);
  if (follows_pointer(content) && to.bytes == 8 && (address.is_constant() || address.base != stack_origin)) {
    tell({.what = memory_access::kind::passed,
          .base = content.base,
          .offset = content.offset,
          .instruction = one.address,
          .written = {},
          .into = address.base,
          .into_offset = address.offset});
  }
  if (address.is_constant()) return;
  memory_access access{.what = memory_access::kind::write,
                       .base = address.base,
                       .offset = address.offset,
                       .bytes = to.bytes,
                       .instruction = one.address};
  if (content.is_constant()) access.written = truncated(content, to.bytes).constants;
  tell(access);
  state.store(address, to.bytes, truncated(std::move(content), to.bytes));
}

void interpreter::pass_arguments(machine_state& state, const instruction& one, std::string_view target,
                                 const access_sink& tell) {
  const auto access = [&](memory_access::kind what, const value& pointer, std::uint64_t bytes) {
    if (pointer.is_constant()) return;
    tell({.what = what, .base = pointer.base, .offset = pointer.offset, .bytes = bytes, .instruction = one.address});
  };
  const bool fills = target.starts_with("memset");
  const bool copies = target.starts_with("memcpy") || target.starts_with("memmove");
  const auto length = state.registers[rdx].known();
  if ((fills || copies) && length && *length > 0) {
    if (copies) access(memory_access::kind::read, state.registers[rsi], *length);
    access(memory_access::kind::write, state.registers[rdi], *length);
    const value& to = state.registers[rdi];
    if (!to.is_constant()) {
      const auto first = state.memory.lower_bound({to.base, to.offset - 7});
      auto last = first;
      while (last != state.memory.end() && last->first.first == to.base &&
             last->first.second < to.offset + static_cast<std::int64_t>(*length)) {
        ++last;
      }
      state.memory.erase(first, last);
    }
  } else {
    for (const auto which : {rdi, rsi, rdx, rcx, r8, r9}) {
      const value& argument = state.registers[register_index(which)];
      if (argument.is_constant()) continue;
      if (argument.base != stack_origin) {
        access(memory_access::kind::passed, argument, 0);
        continue;
      }
      // An object on the stack is passed: the pointers in it go along.
      constexpr std::int64_t largest = 512;
      for (auto at = state.memory.lower_bound({stack_origin, argument.offset});
           at != state.memory.end() && at->first.first == stack_origin && at->first.second < argument.offset + largest;
           ++at) {
        if (follows_pointer(at->second.content)) access(memory_access::kind::passed, at->second.content, 0);
      }
    }
  }
}

void interpreter::pass_stack_arguments(const machine_state& state, const instruction& one, const access_sink& tell) {
  // Those that find no register stand at the stack pointer, one after the other. Whether there are any is not known, so
  // this may take a value for one that is only kept there.
  constexpr std::int64_t most = 16;
  const value& top = state.registers[rsp];
  for (std::int64_t i = 0; i < most; ++i) {
    value place = top;
    place.offset += 8 * i;
    const cell* known = state.load(place, 8);
    if (known == nullptr) return;
    if (!follows_pointer(known->content)) continue;
    tell({.what = memory_access::kind::passed,
          .base = known->content.base,
          .offset = known->content.offset,
          .instruction = one.address});
  }
}

void interpreter::call(machine_state& state, const instruction& one, const access_sink& tell) {
  if (one.operand_count > 0 && one.operands[0].what != operand::kind::immediate) {
    (void)operand_value(state, one, one.operands[0], tell);
  }
  std::string_view target;
  if (one.operand_count > 0 && one.operands[0].what == operand::kind::immediate) {
    target = code_.name_at(one.next() + static_cast<std::uint64_t>(one.operands[0].value));
  } else if (one.operand_count > 0 && one.operands[0].what == operand::kind::in_memory) {
    if (const auto slot = address_of(state, one).known()) target = code_.name_at(*slot);
  }
  pass_arguments(state, one, target, tell);
  pass_stack_arguments(state, one, tell);
  std::uint16_t changed = any_by_convention;
  if (one.operand_count > 0 && one.operands[0].what == operand::kind::immediate) {
    changed = changed_by(one.next() + static_cast<std::uint64_t>(one.operands[0].value), 0);
  }
  changed |= 1U << static_cast<unsigned>(rax);
  int salt = 8;
  for (const auto which : {rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11}) {
    ++salt;
    if ((changed & (1U << static_cast<unsigned>(which))) == 0) continue;
    state.registers[register_index(which)] = which == rax ? made_by(one) : made_by(one, salt);
  }
  state.last = {};
}

std::uint16_t interpreter::changed_by(std::uint64_t function, int depth) {
  constexpr int deepest = 3;
  constexpr std::uint64_t largest = 2048;
  if (const auto known = changed_.find(function); known != changed_.end()) return known->second;
  std::uint16_t& changed = changed_[function];
  changed = any_by_convention;
  const function_symbol* symbol = code_.function_at(function);
  if (depth > deepest || symbol == nullptr || symbol->address != function || symbol->bytes == 0 ||
      symbol->bytes > largest) {
    return any_by_convention;
  }
  std::uint16_t seen = 0;
  const auto bytes = code_.read(function, symbol->bytes);
  for (std::size_t at = 0; at < bytes.size();) {
    const auto one = decoder_.decode(bytes.subspan(at), function + at);
    if (!one) return any_by_convention;
    at += one->size;
    seen |= one->defines;
    const bool jumps = one->what == operation::jump || one->what == operation::conditional_jump;
    if (one->what != operation::call && !jumps) continue;
    if (one->operand_count == 0 || one->operands[0].what != operand::kind::immediate) return any_by_convention;
    const std::uint64_t target = one->next() + static_cast<std::uint64_t>(one->operands[0].value);
    if (jumps && target >= function && target < function + symbol->bytes) continue;
    seen |= changed_by(target, depth + 1);
  }
  // The map may have grown meanwhile.
  return changed_[function] = seen & any_by_convention;
}

void interpreter::step(machine_state& state, const instruction& one, const access_sink& tell) {
  touch_indexed(state, one, tell);
  const auto& operands = one.operands;
  const auto get = [&](int which) {
    return operand_value(state, one, operands[static_cast<std::size_t>(which)], tell);
  };
  const auto source = [&] { return get(one.operand_count > 1 ? 1 : 0); };
  const std::uint8_t width = operands[0].bytes;
  // The value of the operand that is read and written: "add rax, 1".
  const auto read_destination = [&] { return get(0); };
  const auto set_flags = [&](flags::kind what, const value& left, const value& right) {
    state.last = {.what = what, .bytes = width, .left = left.known(), .right = right.known()};
  };

  switch (one.what) {
    case operation::move:
    case operation::move_zero_extended: {
      if (one.operand_count < 2) break;
      value content = source();
      assign(state, one, operands[0], std::move(content), tell);
      return;
    }
    case operation::move_sign_extended: {
      if (one.operand_count < 2) break;
      value content = source();
      if (content.is_constant()) {
        for (auto& each : content.constants) {
          each.value = static_cast<std::uint64_t>(sign_extended(each.value, operands[1].bytes));
        }
        std::ranges::sort(content.constants);
      }
      assign(state, one, operands[0], std::move(content), tell);
      return;
    }
    case operation::load_address:
      assign(state, one, operands[0], address_of(state, one), tell);
      return;
    case operation::add:
    case operation::subtract: {
      if (one.operand_count < 2) break;
      const bool minus = one.what == operation::subtract;
      const value left = read_destination();
      const value right = source();
      value result = made_by(one);
      if (auto both = combine(left, right, one, [&](std::uint64_t a, std::uint64_t b) {
            return (minus ? a - b : a + b) & mask(width);
          })) {
        result = std::move(*both);
      } else if (const auto distance = right.known(); distance && !left.is_constant()) {
        result = left;
        const auto signed_distance = sign_extended(*distance, operands[1].bytes == 0 ? 8 : operands[1].bytes);
        result.offset += minus ? -signed_distance : signed_distance;
      } else if (const auto other = left.known(); other && !right.is_constant() && !minus) {
        result = right;
        result.offset += sign_extended(*other, width);
      } else if (minus && !left.is_constant() && left.base == right.base) {
        result = value::of(constant{static_cast<std::uint64_t>(left.offset - right.offset), one.address});
      } else {
        for (const value& side : {left, right}) {
          if (!follows_pointer(side)) continue;
          tell({.what = memory_access::kind::passed,
                .base = side.base,
                .offset = side.offset,
                .whole = false,
                .instruction = one.address});
        }
      }
      if (minus) {
        set_flags(flags::kind::difference, left, right);
      } else {
        state.last = {.what = flags::kind::result, .bytes = width, .left = result.known(), .right = {}};
      }
      assign(state, one, operands[0], std::move(result), tell);
      return;
    }
    case operation::bit_and:
    case operation::bit_or:
    case operation::bit_xor:
    case operation::shift_left: {
      if (one.what == operation::bit_xor && one.operand_count == 2 && operands[0].what == operand::kind::in_register &&
          operands[1].what == operand::kind::in_register && operands[0].number == operands[1].number &&
          operands[0].general) {
        assign(state, one, operands[0], value::of(constant{0, one.address}), tell);
        state.last = {.what = flags::kind::result, .bytes = width, .left = 0, .right = {}};
        return;
      }
      if (one.operand_count < 2) break;
      const value left = read_destination();
      const value right = source();
      value result = made_by(one);
      if (auto both = combine(left, right, one, [&](std::uint64_t a, std::uint64_t b) {
            const std::uint64_t bits = one.what == operation::bit_and   ? a & b
                                       : one.what == operation::bit_or  ? a | b
                                       : one.what == operation::bit_xor ? a ^ b
                                                                        : a << (b & 63);
            return bits & mask(width);
          })) {
        result = std::move(*both);
      } else if (one.what == operation::bit_and && !left.is_constant() && left.base == stack_origin) {
        result = left;  // the stack pointer being aligned: distances from it stay distances
      }
      state.last = {.what = flags::kind::result, .bytes = width, .left = result.known(), .right = {}};
      assign(state, one, operands[0], std::move(result), tell);
      return;
    }
    case operation::increment:
    case operation::decrement: {
      const std::uint64_t step_by = one.what == operation::increment ? 1 : ~std::uint64_t{0};
      value content = read_destination();
      if (content.is_constant()) {
        for (auto& each : content.constants) each.value = (each.value + step_by) & mask(width);
        std::ranges::sort(content.constants);
      } else {
        content.offset += static_cast<std::int64_t>(step_by);
      }
      state.last = {.what = flags::kind::result, .bytes = width, .left = content.known(), .right = {}};
      assign(state, one, operands[0], std::move(content), tell);
      return;
    }
    case operation::extend_rax: {
      value& content = state.registers[rax];
      if (content.is_constant()) {
        for (auto& each : content.constants) each.value = static_cast<std::uint64_t>(sign_extended(each.value, 4));
        std::ranges::sort(content.constants);
      } else if (const auto known = tables_.find(content.base); known != tables_.end()) {
        known->second.is_signed = true;
      } else {
        content = made_by(one);
      }
      return;
    }
    case operation::compare:
    case operation::test: {
      if (one.operand_count < 2) break;
      const value left = read_destination();
      const value right = source();
      set_flags(one.what == operation::compare ? flags::kind::difference : flags::kind::conjunction, left, right);
      return;
    }
    case operation::bit_test: {
      if (one.operand_count < 2) break;
      const value left = read_destination();
      const value right = source();
      set_flags(flags::kind::bit, left, right);
      return;
    }
    case operation::set_condition: {
      value result{0, 0, {{0, one.address}, {1, one.address}}};
      if (const auto decided = decide(state.last, one.condition)) {
        result = value::of(constant{*decided ? 1U : 0U, one.address});
      }
      assign(state, one, operands[0], std::move(result), tell);
      return;
    }
    case operation::conditional_move: {
      if (one.operand_count < 2) break;
      value left = read_destination();
      const value right = source();
      if (const auto decided = decide(state.last, one.condition)) {
        assign(state, one, operands[0], *decided ? right : left, tell);
        return;
      }
      if (left.is_constant() && right.is_constant()) {
        left.constants.insert(left.constants.end(), right.constants.begin(), right.constants.end());
        std::ranges::sort(left.constants);
        const auto [first, last] = std::ranges::unique(left.constants);
        left.constants.erase(first, last);
        assign(state, one, operands[0], std::move(left), tell);
        return;
      }
      if (left != right) {
        for (const value& side : {left, right}) {
          if (!follows_pointer(side)) continue;
          tell({.what = memory_access::kind::passed,
                .base = side.base,
                .offset = side.offset,
                .whole = false,
                .instruction = one.address});
        }
        left = made_by(one);
      }
      assign(state, one, operands[0], std::move(left), tell);
      return;
    }
    case operation::push: {
      value content = get(0);
      value& top = state.registers[rsp];
      if (top.is_constant()) return;
      top.offset -= 8;
      state.store(top, 8, std::move(content));
      return;
    }
    case operation::pop: {
      value& top = state.registers[rsp];
      value content = made_by(one);
      if (!top.is_constant()) {
        if (const cell* known = state.load(top, 8)) content = known->content;
        top.offset += 8;
      }
      assign(state, one, operands[0], std::move(content), tell);
      return;
    }
    case operation::call:
      call(state, one, tell);
      return;
    case operation::jump:
    case operation::conditional_jump:
      if (one.operand_count > 0 && operands[0].what == operand::kind::in_memory) (void)get(0);
      return;
    case operation::string_store:
    case operation::string_move: {
      const auto count = state.registers[rcx].known();
      const std::uint64_t bytes = count ? *count * std::max<std::uint64_t>(one.memory.bytes, 1) : 0;
      if (one.what == operation::string_move && !state.registers[rsi].is_constant()) {
        tell({.what = memory_access::kind::passed,
              .base = state.registers[rsi].base,
              .offset = state.registers[rsi].offset,
              .whole = false,
              .instruction = one.address});
      }
      const value to = state.registers[rdi];
      if (!to.is_constant()) {
        // Which of its widths it has is not known here, so it may write more; it counts as a use of the whole.
        tell({.what = memory_access::kind::passed,
              .base = to.base,
              .offset = to.offset,
              .bytes = bytes,
              .whole = false,
              .instruction = one.address});
        std::erase_if(state.memory, [&](const auto& entry) { return entry.first.first == to.base; });
      }
      state.registers[rdi] = made_by(one, 1);
      state.registers[rsi] = made_by(one, 2);
      state.registers[rcx] = value::of(constant{0, one.address});
      return;
    }
    case operation::nothing:
    case operation::trap:
      return;
    case operation::ret:
    case operation::other:
      break;
  }

  // Everything else: what it reads and writes in memory, and that its results are not known.
  for (std::uint8_t i = 0; i < one.operand_count; ++i) {
    const operand& each = operands[i];
    if (each.what == operand::kind::in_memory) {
      const value address = address_of(state, one);
      if (address.is_constant()) continue;
      memory_access access{.base = address.base,
                           .offset = address.offset,
                           .bytes = one.memory.bytes,
                           .whole = one.memory.bytes != 0,
                           .instruction = one.address};
      if (one.loads || !one.stores) {
        access.what = memory_access::kind::read;
        tell(access);
      }
      if (one.stores) {
        access.what = memory_access::kind::write;
        tell(access);
        state.store(address, std::max(one.memory.bytes, 1U), made_by(one, 5));
      }
    } else if (each.what == operand::kind::in_register && each.general && each.number < register_count) {
      const value& content = state.registers[register_index(each.number)];
      if (follows_pointer(content) && i > 0) {
        tell({.what = memory_access::kind::passed,
              .base = content.base,
              .offset = content.offset,
              .whole = false,
              .instruction = one.address});
      }
    }
  }
  for (int i = 0; i < register_count; ++i) {
    if (i != rsp && (one.defines & (1U << static_cast<unsigned>(i))) != 0) {
      state.registers[static_cast<std::size_t>(i)] = made_by(one, 12 + i);
    }
  }
  if (one.what != operation::ret) state.last = {};
}

std::optional<bool> interpreter::decide(const flags& last, std::uint8_t condition) {
  if (last.what == flags::kind::unknown || !last.left) return std::nullopt;
  if (last.what != flags::kind::result && !last.right) return std::nullopt;
  const std::uint64_t left = *last.left & mask(last.bytes);
  const std::uint64_t right = last.right.value_or(0) & mask(last.bytes);
  bool zero = false;
  bool carry = false;
  bool negative = false;
  bool overflow = false;
  switch (last.what) {
    case flags::kind::difference: {
      const std::uint64_t result = (left - right) & mask(last.bytes);
      zero = result == 0;
      carry = left < right;
      negative = sign_extended(result, last.bytes) < 0;
      const bool signs_differ = (sign_extended(left, last.bytes) < 0) != (sign_extended(right, last.bytes) < 0);
      overflow = signs_differ && negative != (sign_extended(left, last.bytes) < 0);
      break;
    }
    case flags::kind::conjunction: {
      const std::uint64_t result = left & right;
      zero = result == 0;
      negative = sign_extended(result, last.bytes) < 0;
      break;
    }
    case flags::kind::result:
      // Whether it carried or overflowed is not known; only ask for what is.
      if (condition != 4 && condition != 5 && condition != 8 && condition != 9) return std::nullopt;
      zero = left == 0;
      negative = sign_extended(left, last.bytes) < 0;
      break;
    case flags::kind::bit:
      if (condition != 2 && condition != 3) return std::nullopt;
      carry = ((left >> (right & (last.bytes * 8U - 1U))) & 1U) != 0;
      break;
    case flags::kind::unknown:
      return std::nullopt;
  }
  bool holds = false;
  switch (condition & 0xeU) {
    case 0x0:
      holds = overflow;
      break;
    case 0x2:
      holds = carry;
      break;
    case 0x4:
      holds = zero;
      break;
    case 0x6:
      holds = carry || zero;
      break;
    case 0x8:
      holds = negative;
      break;
    case 0xc:
      holds = negative != overflow;
      break;
    case 0xe:
      holds = zero || negative != overflow;
      break;
    default:
      return std::nullopt;  // parity
  }
  return (condition & 1U) != 0 ? !holds : holds;
}

std::vector<std::uint64_t> interpreter::targets(const value& target,
                                                const std::function<bool(std::uint64_t)>& inside) const {
  std::vector<std::uint64_t> found;
  if (target.is_constant()) {
    for (const auto& each : target.constants) found.push_back(each.value);
    return found;
  }
  const auto known = tables_.find(target.base);
  if (known == tables_.end()) return found;
  int strays = 0;
  for (std::uint64_t i = 0; i < max_table_entries && strays < max_stray_entries; ++i) {
    const auto entry = constant_at(known->second.address + i * known->second.entry_bytes, known->second.entry_bytes);
    if (!entry) break;
    const auto distance =
        known->second.is_signed ? sign_extended(*entry, known->second.entry_bytes) : static_cast<std::int64_t>(*entry);
    const auto place = static_cast<std::uint64_t>(target.offset + distance);
    if (inside(place)) {
      found.push_back(place);
      strays = 0;
    } else {
      ++strays;
    }
  }
  return found;
}

std::vector<std::uint64_t> interpreter::targets(const instruction& jump,
                                                const std::function<bool(std::uint64_t)>& inside) const {
  std::vector<std::uint64_t> found;
  if (jump.memory.index == no_register || jump.memory.base != no_register || jump.memory.scale != 8) return found;
  int strays = 0;
  for (std::uint64_t i = 0; i < max_table_entries && strays < max_stray_entries; ++i) {
    const auto entry = constant_at(static_cast<std::uint64_t>(jump.memory.displacement) + i * 8, 8);
    if (!entry) break;
    if (inside(*entry)) {
      found.push_back(*entry);
      strays = 0;
    } else {
      ++strays;
    }
  }
  return found;
}

}  // namespace tare::inspect
