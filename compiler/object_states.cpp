#include "compiler/object_states.hpp"

#include <llvm/ADT/BitVector.h>
#include <llvm/ADT/PostOrderIterator.h>
#include <llvm/IR/CFG.h>

#include <map>
#include <ranges>

namespace tare::compiler {
namespace {

using event = object_event::kind;

/// What may have happened to each object up to this point.
struct past {
  llvm::BitVector begun;    ///< its lifetime may continue
  llvm::BitVector touched;  ///< since its lifetime began
  llvm::BitVector leaked;   ///< at any time, because an address may be taken before the lifetime begins

  explicit past(unsigned objects) : begun(objects), touched(objects), leaked(objects) {}

  void take_in(const past& other) {
    begun |= other.begun;
    touched |= other.touched;
    leaked |= other.leaked;
  }

  void step(llvm::ArrayRef<object_event> events) {
    for (const auto& each : events) {
      switch (each.what) {
        case event::begin:
          begun.set(each.object);
          touched.reset(each.object);
          break;
        case event::end:
          begun.reset(each.object);
          touched.reset(each.object);
          break;
        case event::read:
          break;
        case event::write:
        case event::overwrite:
          touched.set(each.object);
          break;
        case event::leak:
          touched.set(each.object);
          leaked.set(each.object);
          break;
      }
    }
  }
  friend bool operator==(const past&, const past&) = default;
};

/// Whether each object is read later, before it is overwritten or its lifetime ends.
using future = llvm::BitVector;

void step_back(future& read_later, const llvm::Instruction& over, llvm::ArrayRef<object_event> events) {
  // Only the first call executes what follows the end, without the frame.
  if (const auto* end = llvm::dyn_cast<llvm::AnyCoroEndInst>(&over); end != nullptr && end->isFallthrough()) {
    read_later.reset();
  }
  for (const auto& each : events) {
    if (each.what == event::begin || each.what == event::end || each.what == event::overwrite) {
      read_later.reset(each.object);
    }
  }
  for (const auto& each : events) {
    if (each.what == event::read) read_later.set(each.object);
  }
}

class state_finder {
 public:
  state_finder(llvm::Function& function, llvm::ArrayRef<llvm::AllocaInst*> objects)
      : function_(function),
        count_(static_cast<unsigned>(objects.size())),
        events_(function, objects),
        order_(&function) {
    solve_past();
    solve_future();
  }

  [[nodiscard]] std::vector<object_state> at(const llvm::CoroSuspendInst& suspension) const {
    const auto* block = suspension.getParent();
    past before = past_at_start(*block);
    for (const auto& each : *block) {
      if (&each == &suspension) break;
      before.step(events_.at(each));
    }
    future after = future_at_end(*block);
    for (const auto& each : std::views::reverse(*block)) {
      if (&each == &suspension) break;
      step_back(after, each, events_.at(each));
    }
    std::vector<object_state> states(count_);
    for (unsigned i = 0; i < count_; ++i) states[i] = state_of(i, before, after);
    return states;
  }

 private:
  static object_state state_of(unsigned object, const past& before, const future& after) {
    if (!before.begun.test(object)) return object_state::dead;
    const bool leaked = before.leaked.test(object);
    if (after.test(object) && (leaked || before.touched.test(object))) return object_state::live;
    return leaked ? object_state::held : object_state::dead;
  }

  /// An object without lifetime markers lives throughout.
  [[nodiscard]] past at_entry() const {
    past start(count_);
    start.begun.set();
    for (const auto& block : function_) {
      for (const auto& each : block) {
        for (const auto& found : events_.at(each)) {
          if (found.what == event::begin) start.begun.reset(found.object);
        }
      }
    }
    return start;
  }

  [[nodiscard]] past past_at_start(const llvm::BasicBlock& block) const {
    past all(count_);
    if (&block == &function_.getEntryBlock()) all = at_entry_;
    for (const auto* from : llvm::predecessors(&block)) {
      if (const auto known = pasts_.find(from); known != pasts_.end()) all.take_in(known->second);
    }
    return all;
  }

  [[nodiscard]] future future_at_end(const llvm::BasicBlock& block) const {
    future all(count_);
    for (const auto* to : llvm::successors(&block)) {
      if (const auto known = futures_.find(to); known != futures_.end()) all |= known->second;
    }
    return all;
  }

  void solve_past() {
    at_entry_ = at_entry();
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto* block : order_) {
        past all = past_at_start(*block);
        for (const auto& each : *block) all.step(events_.at(each));
        const auto [place, added] = pasts_.try_emplace(block, all);
        changed |= added || place->second != all;
        place->second = std::move(all);
      }
    }
  }

  void solve_future() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto* block : std::views::reverse(order_)) {
        future all = future_at_end(*block);
        for (const auto& each : std::views::reverse(*block)) step_back(all, each, events_.at(each));
        const auto [place, added] = futures_.try_emplace(block, all);
        changed |= added || place->second != all;
        place->second = std::move(all);
      }
    }
  }

  const llvm::Function& function_;
  unsigned count_;
  object_events events_;
  llvm::ReversePostOrderTraversal<const llvm::Function*> order_;
  past at_entry_{0};
  std::map<const llvm::BasicBlock*, past> pasts_;      ///< at the end of each block
  std::map<const llvm::BasicBlock*, future> futures_;  ///< at its beginning
};

}  // namespace

std::vector<std::vector<object_state>> states_at(llvm::Function& function, llvm::ArrayRef<llvm::AllocaInst*> objects,
                                                 llvm::ArrayRef<llvm::CoroSuspendInst*> suspensions) {
  const state_finder finder(function, objects);
  std::vector<std::vector<object_state>> all;
  all.reserve(suspensions.size());
  for (const auto* each : suspensions) all.push_back(finder.at(*each));
  return all;
}

}  // namespace tare::compiler
