#include "inspect/machine/lost_pointers.hpp"

#include "inspect/machine/arithmetic.hpp"
#include "inspect/machine/execution.hpp"

#include <map>
#include <set>
#include <utility>

namespace tare::inspect {
namespace {

/// The possible values behind a name: for values that were joined from several, or loaded from a stack slot that may
/// hold one of several.
class aliases {
 public:
  struct source {
    origin name = 0;  ///< of the value that it became
    value content;    ///< what it was
    std::size_t instruction = 0;
  };

  void add(origin name, const value& content, std::size_t instruction) {
    if (content.is_constant() || content.base == stack_origin || content.base == name) return;
    sources_.push_back({name, content, instruction});
  }
  void load(origin name, std::int64_t place) { loads_[place].push_back(name); }
  void store(std::int64_t place, const value& content, std::size_t instruction) {
    stores_.push_back({place, content, instruction});
  }

  void resolve_loads() {
    for (const auto& each : stores_) {
      const auto names = loads_.find(each.place);
      if (names == loads_.end()) continue;
      for (const origin name : names->second) add(name, each.content, each.instruction);
    }
  }

  /// Visits the sources that are used under one of these names.
  template <class F>
  void for_each_used(std::set<origin> used, F&& visit) const {
    std::vector<bool> seen(sources_.size(), false);
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (seen[i] || !used.contains(sources_[i].name)) continue;
        seen[i] = changed = true;
        used.insert(sources_[i].content.base);
        visit(sources_[i]);
      }
    }
  }

 private:
  struct stored {
    std::int64_t place = 0;
    value content;
    std::size_t instruction = 0;
  };
  std::vector<source> sources_;
  std::map<std::int64_t, std::vector<origin>> loads_;  ///< by place on the stack
  std::vector<stored> stores_;
};

class collector {
 public:
  collector(const function_flow& flow, interpreter& machine) : flow_(flow), machine_(machine) {
    for (const auto& block : flow.blocks()) {
      if (block.reached) add_block(block);
    }
    aliases_.resolve_loads();
  }

  [[nodiscard]] std::vector<lost_pointer> lost() && {
    aliases_.for_each_used(std::move(used_), [&](const auto& each) { pass(each, true); });
    aliases_.for_each_used(std::move(passed_), [&](const auto& each) { pass(each, false); });
    return std::move(lost_);
  }

 private:
  void add_block(const basic_block& block) {
    machine_state state = block.entry;
    for (std::size_t i = block.first; i < block.last; ++i) step(state, i);
    for (const std::size_t next : block.successors) join(state, flow_.blocks()[next].entry, block.last - 1);
  }

  void step(machine_state& state, std::size_t index) {
    const instruction& insn = flow_.instructions()[index];
    for (const auto& access : flow_.accesses(index)) {
      (access.what == memory_access::kind::passed && !access.indexed ? passed_ : used_).insert(access.base);
    }
    const bool pops = insn.what == operation::pop;
    const bool in_memory = insn.loads || insn.stores || pops;
    const value place = !in_memory ? value{} : pops ? state.registers[rsp] : address_of(state, insn);
    if (in_memory && place.base == stack_origin && (insn.loads || pops) && state.load(place, 8) == nullptr) {
      aliases_.load(made_by(insn).base, place.offset);
    }
    machine_.step(state, insn, [](const memory_access&) {});
    const bool pushes = insn.what == operation::push;
    const value written = pushes ? state.registers[rsp] : place;
    if (written.base != stack_origin || (!insn.stores && !pushes)) return;
    if (const cell* kept = state.load(written, 8)) aliases_.store(written.offset, kept->content, index);
  }

  /// Adds the values that are known at the end of a block but unknown where its successor begins.
  void join(const machine_state& from, const machine_state& to, std::size_t instruction) {
    for (std::size_t i = 0; i < to.registers.size(); ++i) {
      if (to.registers[i].is_meeting() && to.registers[i] != from.registers[i]) {
        aliases_.add(to.registers[i].base, from.registers[i], instruction);
      }
    }
    for (const auto& [place, kept] : to.memory) {
      const auto known = from.memory.find(place);
      if (!kept.content.is_meeting() || known == from.memory.end() || known->second.content == kept.content) continue;
      aliases_.add(kept.content.base, known->second.content, instruction);
    }
  }

  void pass(const aliases::source& source, bool indexed) {
    lost_.push_back({.instruction_index = source.instruction,
                     .access = {.what = memory_access::kind::passed,
                                .base = source.content.base,
                                .offset = source.content.offset,
                                .whole = false,
                                .indexed = indexed,
                                .instruction = flow_.instructions()[source.instruction].address}});
  }

  const function_flow& flow_;
  interpreter& machine_;
  aliases aliases_;
  std::set<origin> used_;    ///< to read or to write there
  std::set<origin> passed_;  ///< perhaps used: the parameters of a call are not known
  std::vector<lost_pointer> lost_;
};

}  // namespace

std::vector<lost_pointer> find_lost_pointers(const function_flow& flow, interpreter& machine) {
  return collector(flow, machine).lost();
}

}  // namespace tare::inspect
