#include "inspect/machine/function_flow.hpp"

#include "inspect/machine/execution.hpp"
#include "inspect/machine/lost_pointers.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <string_view>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::size_t max_instructions = 200'000;
constexpr std::size_t patient_visits_per_block = 64;
constexpr std::size_t max_visits_per_block = 4096;
constexpr std::size_t max_prefix_steps = 4096;

/// What the checks of AddressSanitizer and UndefinedBehaviorSanitizer call when they fail, unless the program was
/// compiled with -fsanitize-recover.
bool is_fatal_report(std::string_view name) {
  if (name.starts_with("__asan_report_")) return !name.ends_with("_noabort");
  if (!name.starts_with("__ubsan_handle_")) return false;
  return name.ends_with("_abort") || name == "__ubsan_handle_builtin_unreachable" ||
         name == "__ubsan_handle_missing_return";
}

bool never_returns(std::string_view name) {
  return is_fatal_report(name) || name == "abort" || name == "_ZSt9terminatev" || name == "__cxa_throw" ||
         name == "__cxa_rethrow" || name == "__stack_chk_fail" || name == "_Unwind_Resume" ||
         name == "__clang_call_terminate" || name == "__assert_fail" ||
         (name.starts_with("_ZSt") && name.contains("__throw_"));
}

/// What compilers call on request at the beginning of a function and around its accesses to memory.
bool only_observes(std::string_view name) {
  if (name.starts_with("__asan_report_")) return false;
  return name.starts_with("__tsan_") || name.starts_with("__sanitizer_cov_") || name.starts_with("__asan_load") ||
         name.starts_with("__asan_store") || name.starts_with("__cyg_profile_func_") || name == "__fentry__" ||
         name == "mcount";
}

void ignore(const memory_access&) {}

}  // namespace

function_flow::function_flow(const image& code, const disassembler& decoder, const landing_pads& pads,
                             std::vector<code_range> ranges)
    : code_(code), decoder_(decoder), pads_(pads), interpreter_(code, decoder) {
  decode(std::move(ranges));
  if (instructions_.empty() || gave_up_) return;
  find_blocks();
  connect();
  solve();
}

bool function_flow::contains(std::uint64_t address) const {
  return std::ranges::any_of(ranges_, [&](const auto& one) { return address >= one.begin && address < one.end; });
}

void function_flow::decode(std::vector<code_range> ranges) {
  const std::uint64_t entry = ranges.empty() ? 0 : ranges.front().begin;
  const function_symbol* self = code_.function_at(entry);
  std::deque<code_range> waiting(ranges.begin(), ranges.end());
  while (!waiting.empty()) {
    const code_range range = waiting.front();
    waiting.pop_front();
    if (range.begin >= range.end || std::ranges::find(ranges_, range) != ranges_.end()) continue;
    ranges_.push_back(range);
    const auto bytes = code_.read(range.begin, range.end - range.begin);
    std::size_t at = 0;
    while (at < bytes.size()) {
      auto one = decoder_.decode(bytes.subspan(at), range.begin + at);
      if (!one) {
        ++at;  // padding or data between instructions
        continue;
      }
      at += one->size;
      // Unlikely parts are separate functions: "f.cold".
      const bool jumps = one->what == operation::jump || one->what == operation::conditional_jump;
      if (jumps && one->operand_count > 0 && one->operands[0].what == operand::kind::immediate && self != nullptr) {
        const std::uint64_t target = one->next() + static_cast<std::uint64_t>(one->operands[0].value);
        const function_symbol* part = contains(target) ? nullptr : code_.function_at(target);
        if (part != nullptr && part->bytes > 0 && part->name.contains(".cold") && part->name.starts_with(self->name)) {
          waiting.push_back({part->address, part->address + part->bytes});
        }
      }
      instructions_.push_back(*one);
      if (instructions_.size() > max_instructions) {
        gave_up_ = true;
        return;
      }
    }
  }
  std::ranges::sort(instructions_, {}, &instruction::address);
  for (const auto& range : ranges_) {
    for (const auto& site : pads_.of(range.begin)) call_sites_.push_back(site);
  }
}

std::vector<std::uint64_t> function_flow::jump_targets(const table_jump& jump) const {
  const instruction& one = instructions_[jump.instruction];
  const operand& target = one.operands[0];
  std::vector<std::uint64_t> found;
  const auto inside = [this](std::uint64_t address) { return contains(address); };
  if (target.what == operand::kind::in_memory) {
    found = interpreter_.tables().targets(jump.before, one, jump.bounds, inside);
  } else if (target.number >= 0 && target.number < register_count) {
    found = interpreter_.tables().targets(jump.before.registers[register_index(target.number)], jump.bounds, inside);
  }
  std::erase_if(found, [&](std::uint64_t address) { return !contains(address); });
  std::ranges::sort(found);
  const auto [first, last] = std::ranges::unique(found);
  found.erase(first, last);
  return found;
}

std::optional<std::size_t> function_flow::index_of(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(instructions_, address, {}, &instruction::address);
  if (after == instructions_.begin()) return std::nullopt;
  --after;
  if (address >= after->next()) return std::nullopt;
  return static_cast<std::size_t>(after - instructions_.begin());
}

function_flow::table_jump function_flow::followed_to(std::size_t jump, std::size_t first) const {
  table_jump found{.instruction = jump, .before = machine_state::at_entry(), .bounds = {}};
  for (std::size_t i = first; i < jump; ++i) {
    found.bounds.see(found.before, instructions_[i]);
    interpreter_.step(found.before, instructions_[i], ignore);
  }
  return found;
}

void function_flow::find_blocks() {
  std::set<std::size_t> leaders{0};
  const auto lead = [&](std::uint64_t address) {
    const auto index = index_of(address);
    if (index && instructions_[*index].address == address) leaders.insert(*index);
  };
  for (const auto& range : ranges_) lead(range.begin);
  for (const auto& site : call_sites_) lead(site.landing_pad);
  std::vector<table_jump> table_jumps;
  std::size_t straight = 0;  // where the code that runs into this instruction begins
  for (std::size_t i = 0; i < instructions_.size(); ++i) {
    const instruction& one = instructions_[i];
    const bool ends = one.what == operation::jump || one.what == operation::conditional_jump ||
                      one.what == operation::ret || one.what == operation::trap;
    const bool calls = one.what == operation::call;
    if (i > 0 && instructions_[i - 1].next() != one.address) straight = i;
    if (one.what == operation::jump || one.what == operation::conditional_jump) {
      if (one.operand_count > 0 && one.operands[0].what == operand::kind::immediate) {
        lead(one.next() + static_cast<std::uint64_t>(one.operands[0].value));
      } else if (one.operand_count > 0) {
        table_jumps.push_back(followed_to(i, straight));
      }
    }
    if ((ends || calls) && i + 1 < instructions_.size()) leaders.insert(i + 1);
    if (ends) straight = i + 1;
  }
  // All tables must be known before one is read: it may end where another begins.
  indirect_targets_.resize(instructions_.size());
  for (const auto& jump : table_jumps) {
    indirect_targets_[jump.instruction] = jump_targets(jump);
    for (const auto target : indirect_targets_[jump.instruction]) lead(target);
  }
  for (auto at = leaders.begin(); at != leaders.end(); ++at) {
    const auto next = std::next(at);
    basic_block block;
    block.first = *at;
    block.last = next == leaders.end() ? instructions_.size() : *next;
    blocks_.push_back(std::move(block));
  }
}

std::optional<std::size_t> function_flow::block_of(std::uint64_t address) const {
  const auto index = index_of(address);
  if (!index || blocks_.empty()) return std::nullopt;
  auto after = std::ranges::upper_bound(blocks_, *index, {}, &basic_block::first);
  if (after == blocks_.begin()) return std::nullopt;
  return static_cast<std::size_t>(std::prev(after) - blocks_.begin());
}

void function_flow::connect() {
  const auto link = [&](basic_block& from, std::uint64_t address) {
    const auto index = index_of(address);
    if (!index || instructions_[*index].address != address) return;
    const auto to = block_of(address);
    if (to && blocks_[*to].first == *index && std::ranges::find(from.successors, *to) == from.successors.end()) {
      from.successors.push_back(*to);
    }
  };
  for (auto& block : blocks_) {
    const instruction& last = instructions_[block.last - 1];
    bool falls_through = true;
    switch (last.what) {
      case operation::jump:
      case operation::conditional_jump:
        falls_through = last.what == operation::conditional_jump;
        if (last.operand_count > 0 && last.operands[0].what == operand::kind::immediate) {
          link(block, last.next() + static_cast<std::uint64_t>(last.operands[0].value));
        }
        for (const auto target : indirect_targets_[block.last - 1]) link(block, target);
        break;
      case operation::ret:
      case operation::trap:
        falls_through = false;
        break;
      case operation::call: {
        if (last.operand_count > 0 && last.operands[0].what == operand::kind::immediate) {
          const std::uint64_t target = last.next() + static_cast<std::uint64_t>(last.operands[0].value);
          calls_.push_back({.instruction = last.address, .target = target});
          falls_through = !never_returns(code_.name_at(target));
        }
        for (const auto& site : call_sites_) {
          if (last.address >= site.begin && last.address < site.end) link(block, site.landing_pad);
        }
        break;
      }
      default:
        break;
    }
    if (falls_through) link(block, last.next());
  }
}

void function_flow::solve() {
  const auto entry = block_of(ranges_.front().begin);
  if (entry) run(*entry);
  accesses_.resize(instructions_.size());
  if (gave_up_) return;
  list_accesses();
  find_gap();
  for (auto& one : find_lost_pointers(*this, interpreter_)) {
    accesses_[one.instruction_index].push_back(std::move(one.access));
  }
}

void function_flow::run(std::size_t entry) {
  std::vector<std::size_t> visits(blocks_.size(), 0);
  std::vector<bool> queued(blocks_.size(), false);
  std::deque<std::size_t> waiting{entry};
  blocks_[entry].entry = machine_state::at_entry();
  blocks_[entry].reached = true;
  while (!waiting.empty()) {
    const std::size_t number = waiting.front();
    waiting.pop_front();
    queued[number] = false;
    if (++visits[number] > max_visits_per_block) {
      gave_up_ = true;
      return;
    }
    machine_state state = blocks_[number].entry;
    for (std::size_t i = blocks_[number].first; i < blocks_[number].last; ++i) {
      interpreter_.step(state, instructions_[i], ignore);
    }
    for (const std::size_t next : blocks_[number].successors) {
      basic_block& successor = blocks_[next];
      bool changed = true;
      if (!successor.reached) {
        successor.entry = state;
        successor.entry.last = {};
        successor.reached = true;
      } else {
        const bool end_soon = visits[next] > patient_visits_per_block;
        changed = successor.entry.join(state, instructions_[successor.first].address, end_soon);
      }
      if (changed && !queued[next]) {
        queued[next] = true;
        waiting.push_back(next);
      }
    }
  }
}

void function_flow::list_accesses() {
  for (const auto& block : blocks_) {
    if (!block.reached) continue;
    machine_state state = block.entry;
    for (std::size_t i = block.first; i < block.last; ++i) {
      const auto note = [&](const memory_access& one) { accesses_[i].push_back(one); };
      interpreter_.step(state, instructions_[i], note);
      // The last call of a function may be a jump.
      if (i + 1 != block.last || instructions_[i].what != operation::jump || !block.successors.empty()) continue;
      std::string_view target;
      const operand& to = instructions_[i].operands[0];
      if (instructions_[i].operand_count > 0 && to.what == operand::kind::immediate) {
        const std::uint64_t address = instructions_[i].next() + static_cast<std::uint64_t>(to.value);
        calls_.push_back({.instruction = instructions_[i].address, .target = address});
        target = code_.name_at(address);
      }
      interpreter_.pass_arguments(state, instructions_[i], target, note);
    }
  }
}

/// Padding between functions, and code after a call that does not return, does not access memory.
void function_flow::find_gap() {
  for (const auto& block : blocks_) {
    if (block.reached) continue;
    for (std::size_t i = block.first; i < block.last; ++i) {
      const auto& one = instructions_[i];
      const bool in_memory = one.what != operation::nothing && (one.loads || one.stores);
      if (in_memory) has_gap_ = true;
    }
  }
}

std::span<const memory_access> function_flow::accesses(std::size_t instruction) const {
  if (instruction >= accesses_.size()) return {};
  return accesses_[instruction];
}

const machine_state* function_flow::state_at(std::uint64_t address) const {
  const auto index = index_of(address);
  const auto number = block_of(address);
  if (!index || !number || !blocks_[*number].reached) return nullptr;
  const basic_block& block = blocks_[*number];
  if (cached_block_ != *number || cached_instruction_ > *index) {
    cached_block_ = *number;
    cached_instruction_ = block.first;
    cached_state_ = block.entry;
  }
  while (cached_instruction_ < *index) interpreter_.step(cached_state_, instructions_[cached_instruction_++], ignore);
  return &cached_state_;
}

function_flow::entry_point function_flow::enter(std::span<const known_word> known) const {
  entry_point result;
  if (ranges_.empty()) return result;
  result.address = ranges_.front().begin;
  machine_state state = machine_state::at_entry();
  for (const auto& word : known) {
    state.store(value::of(first_argument_origin, word.offset), word.bytes, value::of(constant{word.content, 0}));
  }
  std::vector<std::size_t> path;
  std::set<std::uint64_t> seen;
  std::uint64_t at = result.address;
  for (std::size_t step = 0; step < max_prefix_steps; ++step) {
    const auto index = index_of(at);
    if (!index || instructions_[*index].address != at || !seen.insert(at).second) break;
    const instruction& one = instructions_[*index];
    const auto called = one.what == operation::call ? one.direct_target() : std::nullopt;
    const bool observes = called && only_observes(code_.name_at(*called));
    if ((one.what == operation::call && !observes) || one.what == operation::ret || one.what == operation::trap) break;
    std::uint64_t next = one.next();
    bool decided = false;
    if (one.what == operation::conditional_jump) {
      const auto taken = decide(state.last, one.when);
      if (!taken || one.operand_count == 0) break;
      if (*taken) next += static_cast<std::uint64_t>(one.operands[0].value);
      decided = true;
    } else if (one.what == operation::jump) {
      if (one.operand_count == 0) break;
      const operand& target = one.operands[0];
      if (target.what == operand::kind::immediate) {
        next += static_cast<std::uint64_t>(target.value);
      } else if (target.what == operand::kind::in_register && target.number >= 0 && target.number < register_count) {
        const auto place = state.registers[register_index(target.number)].known();
        if (!place) break;
        next = *place;
        decided = true;
      } else if (target.what == operand::kind::in_memory) {
        const auto slot = address_of(state, one).known();
        const auto place = slot ? interpreter_.tables().constant_at(*slot, 8) : std::nullopt;
        if (!place) break;
        next = *place;
        decided = true;
      } else {
        break;
      }
    }
    if (!contains(next)) break;
    interpreter_.step(state, one, ignore);
    path.push_back(*index);
    at = next;
    // The code after the last decision is the body, which is not part of the path.
    if (decided) {
      result.address = at;
      result.path = path;
    }
  }
  return result;
}

}  // namespace tare::inspect
