#include "inspect/coroutine/used_later.hpp"

#include <ranges>
#include <utility>

namespace tare::inspect {
namespace {

class solver {
 public:
  solver(const frame_source& source, const std::vector<found_await>& awaits, const coroutine& coroutine,
         const frame_effects& effects, work_limit& work)
      : source_(source),
        awaits_(awaits),
        of_(coroutine),
        effects_(effects),
        work_(work),
        later_(awaits.size(), later_use(effects.atoms().count())) {}

  bool solve() {
    bool within_limits = true;
    for (bool changed = true; changed && within_limits;) {
      changed = false;
      for (const auto& function : effects_.functions()) {
        if (function.function->role == function_role::ramp) continue;
        const auto blocks = uses_from_blocks(function, within_limits);
        for (std::size_t number = 0; number < awaits_.size() && within_limits; ++number) {
          for (const auto& entry : entries_of(source_, of_, *function.function, awaits_[number].point)) {
            later_use use = use_from(function, blocks, entry.address);
            for (const auto found : std::views::reverse(entry.path)) step_back(function, found, use);
            changed |= later_[number].join(use);
          }
          within_limits = within_limits && work_.spend(8);
        }
      }
    }
    return within_limits;
  }

  [[nodiscard]] std::vector<later_use> result() && { return std::move(later_); }

 private:
  [[nodiscard]] later_use nothing() const { return later_use(effects_.atoms().count()); }

  /// Steps backwards over one instruction.
  void step_back(const function_effects& effects, std::size_t instruction, later_use& use) const {
    if (const auto begins = effects.begins.find(instruction); begins != effects.begins.end()) {
      for (const std::size_t number : begins->second) use.join(later_[number]);
    }
    for (const auto& each : effects.at[instruction]) {
      if (each.what == effect::kind::write && each.certain) {
        use.read.reset(each.first, each.last);
        use.passed.reset(each.first, each.last);
      }
    }
    for (const auto& each : effects.at[instruction]) {
      use.touched.set(each.first, each.last);
      if (each.what == effect::kind::read) use.read.set(each.first, each.last);
      if (each.what == effect::kind::passed) use.passed.set(each.first, each.last);
    }
  }

  /// The uses from the beginning of each block on.
  std::vector<later_use> uses_from_blocks(const function_effects& effects, bool& within_limits) {
    const auto blocks = effects.function->flow->blocks();
    std::vector<later_use> from(blocks.size(), nothing());
    for (bool changed = true; changed && within_limits;) {
      changed = false;
      within_limits = work_.spend(blocks.size());
      for (std::size_t b = blocks.size(); b-- > 0;) {
        if (!blocks[b].reached) continue;
        later_use use = nothing();
        for (const std::size_t next : blocks[b].successors) use.join(from[next]);
        for (std::size_t i = blocks[b].last; i-- > blocks[b].first;) step_back(effects, i, use);
        changed |= from[b].join(use);
      }
    }
    return from;
  }

  [[nodiscard]] later_use use_from(const function_effects& effects, const std::vector<later_use>& blocks,
                                   std::uint64_t address) const {
    later_use use = nothing();
    const auto number = effects.function->flow->block_of(address);
    const auto first = effects.function->flow->index_of(address);
    if (!number || !first) return use;
    const auto& block = effects.function->flow->blocks()[*number];
    for (const std::size_t next : block.successors) use.join(blocks[next]);
    for (std::size_t i = block.last; i-- > *first;) step_back(effects, i, use);
    return use;
  }

  const frame_source& source_;
  const std::vector<found_await>& awaits_;
  const coroutine& of_;
  const frame_effects& effects_;
  work_limit& work_;
  std::vector<later_use> later_;
};

}  // namespace

bool later_use::join(const later_use& other) {
  const bool changed = other.read.test(read) || other.passed.test(passed) || other.touched.test(touched);
  read |= other.read;
  passed |= other.passed;
  touched |= other.touched;
  return changed;
}

std::optional<std::vector<later_use>> find_used_later(const frame_source& source,
                                                      const std::vector<found_await>& awaits,
                                                      const coroutine& coroutine, const frame_effects& effects,
                                                      work_limit& work) {
  solver solving(source, awaits, coroutine, effects, work);
  if (!solving.solve()) return std::nullopt;
  return std::move(solving).result();
}

}  // namespace tare::inspect
