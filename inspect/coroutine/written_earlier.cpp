#include "inspect/coroutine/written_earlier.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

void step_forward(const function_effects& effects, std::size_t instruction, earlier_use& use) {
  for (const auto& each : effects.at[instruction]) {
    if (each.what == effect::kind::write) use.touched.set(each.first, each.last);
    if (each.what == effect::kind::passed) {
      use.touched.set(each.first, each.last);
      use.passed.set(each.first, each.last);
      use.passed_since.set(each.first, each.last);
    }
  }
}

class solver {
 public:
  solver(const frame_source& source, const std::vector<found_await>& awaits, const coroutine& coroutine,
         const frame_effects& effects, work_limit& work)
      : source_(source),
        awaits_(awaits),
        of_(coroutine),
        effects_(effects),
        work_(work),
        atoms_(effects.atoms().count()),
        earlier_(awaits.size(), earlier_use(atoms_)) {}

  bool solve() {
    const auto start = from_ramp();
    if (!start) return false;
    for (std::size_t number = 0; number < awaits_.size(); ++number) {
      // The beginning of the suspension was not found, or is in an inlined ramp: anything may have been accessed.
      if (awaits_[number].sites.empty()) earlier_[number] = everything();
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& subject : effects_.functions()) {
        if (subject.function->role == function_role::resume && !go_through(subject, *start, changed)) return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::vector<earlier_use> result() && { return std::move(earlier_); }

 private:
  [[nodiscard]] earlier_use everything() const {
    earlier_use all(atoms_);
    all.touched.set();
    all.passed.set();
    all.passed_since.set();
    return all;
  }

  [[nodiscard]] bool is_gcc() const { return source_.made_by == producer::gcc; }

  /// What the ramp wrote into the frame before the first resumption; empty if that takes too much work.
  std::optional<earlier_use> from_ramp() {
    earlier_use found(atoms_);
    bool ramp_known = false;
    bool ignored = false;
    for (const auto& subject : effects_.functions()) {
      if (subject.function->role != function_role::ramp) continue;
      ramp_known = true;
      if (is_gcc()) {
        // It only fills the frame and calls the actor.
        for (std::size_t i = 0; i < subject.at.size(); ++i) step_forward(subject, i, found);
      } else if (!go_forward(subject, {.address = subject.function->ranges.front().begin, .path = {}},
                             earlier_use(atoms_), ignored)) {
        return std::nullopt;
      }
    }
    // If the ramp was inlined somewhere, anything may have been written into the frame before the first await.
    return ramp_known ? found : everything();
  }

  bool go_through(const function_effects& effects, const earlier_use& start, bool& changed) {
    if (is_gcc() && !go_forward(effects, first_entry(of_, *effects.function), start, changed)) return false;
    for (std::size_t number = 0; number < awaits_.size(); ++number) {
      for (const auto& entry : entries_of(source_, of_, *effects.function, awaits_[number].point)) {
        if (!go_forward(effects, entry, earlier_[number], changed)) return false;
      }
    }
    return true;
  }

  /// What may be accessed between the beginning of a suspension and the return from the function.
  void touch_after(const function_effects& effects, std::size_t instruction, std::size_t number,
                   earlier_use& use) const {
    const auto& flow = *effects.function->flow;
    const auto first = flow.block_of(flow.instructions()[instruction].address);
    if (!first) return;
    // At the beginning of the next suspension, this one has ended.
    const auto is_over = [&](std::size_t i) {
      const auto begins = effects.begins.find(i);
      return i != instruction && begins != effects.begins.end() &&
             std::ranges::find(begins->second, number) == begins->second.end();
    };
    std::vector<bool> seen(flow.blocks().size(), false);
    std::vector<std::pair<std::size_t, std::size_t>> waiting{{*first, instruction}};
    while (!waiting.empty()) {
      const auto [block, from] = waiting.back();
      waiting.pop_back();
      std::size_t i = from;
      for (; i < flow.blocks()[block].last && !is_over(i); ++i) step_forward(effects, i, use);
      if (i < flow.blocks()[block].last) continue;
      for (const std::size_t next : flow.blocks()[block].successors) {
        if (seen[next]) continue;
        seen[next] = true;
        waiting.emplace_back(next, flow.blocks()[next].first);
      }
    }
  }

  /// The beginnings of suspensions, with what was accessed until then.
  void begin_suspension(const function_effects& effects, std::size_t instruction, const earlier_use& use,
                        bool& changed) {
    const auto begins = effects.begins.find(instruction);
    if (begins == effects.begins.end()) return;
    for (const std::size_t number : begins->second) {
      changed |= earlier_[number].join(use);
      if (touched_after_.emplace(&effects, instruction, number).second) {
        earlier_use after(atoms_);
        touch_after(effects, instruction, number, after);
        changed |= earlier_[number].join(after);
      }
    }
  }

  bool go_forward(const function_effects& effects, const function_flow::entry_point& entry, earlier_use start,
                  bool& changed) {
    const auto& flow = *effects.function->flow;
    const auto first = flow.block_of(entry.address);
    const auto begin = flow.index_of(entry.address);
    if (!first || !begin) return true;
    start.passed_since.reset();
    for (const std::size_t i : entry.path) {
      begin_suspension(effects, i, start, changed);
      step_forward(effects, i, start);
    }
    std::vector<std::optional<earlier_use>> address(flow.blocks().size());
    std::vector<std::size_t> waiting;
    const auto run = [&](std::size_t number, std::size_t from, earlier_use use) {
      const auto& block = flow.blocks()[number];
      for (std::size_t i = from; i < block.last; ++i) {
        begin_suspension(effects, i, use, changed);
        step_forward(effects, i, use);
      }
      for (const std::size_t next : block.successors) {
        if (!address[next]) {
          address[next] = use;
          waiting.push_back(next);
        } else if (address[next]->join(use)) {
          waiting.push_back(next);
        }
      }
    };
    run(*first, *begin, start);
    while (!waiting.empty()) {
      if (!work_.spend(1)) return false;
      const std::size_t number = waiting.back();
      waiting.pop_back();
      if (const auto& use = address[number]) run(number, flow.blocks()[number].first, earlier_use(*use));
    }
    return true;
  }

  const frame_source& source_;
  const std::vector<found_await>& awaits_;
  const coroutine& of_;
  const frame_effects& effects_;
  work_limit& work_;
  unsigned atoms_;
  std::vector<earlier_use> earlier_;
  std::set<std::tuple<const function_effects*, std::size_t, std::size_t>> touched_after_;
};

}  // namespace

bool earlier_use::join(const earlier_use& other) {
  const bool changed =
      other.touched.test(touched) || other.passed.test(passed) || other.passed_since.test(passed_since);
  touched |= other.touched;
  passed |= other.passed;
  passed_since |= other.passed_since;
  return changed;
}

std::optional<std::vector<earlier_use>> find_written_earlier(const frame_source& source,
                                                             const std::vector<found_await>& awaits,
                                                             const coroutine& coroutine, const frame_effects& effects,
                                                             work_limit& work) {
  solver solving(source, awaits, coroutine, effects, work);
  if (!solving.solve()) return std::nullopt;
  return std::move(solving).result();
}

}  // namespace tare::inspect
