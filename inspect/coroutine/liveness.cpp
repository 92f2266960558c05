#include "inspect/coroutine/liveness.hpp"

#include <llvm/ADT/BitVector.h>

#include <algorithm>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::size_t max_atoms = 8192;
constexpr std::size_t max_work = 40'000'000;  ///< words of bit sets that are passed over before it gives up

/// A stretch of the frame that is used as one.
struct atom {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// What one instruction does to the frame.
struct effect {
  enum class kind : std::uint8_t { read, write, passed };
  kind what = kind::read;
  unsigned first = 0;  ///< atoms
  unsigned last = 0;
  bool certain = true;  ///< all of these bytes, surely
};

/// For each byte: is it read later, does its address go somewhere later, and is anything at all done to it later.
struct later_use {
  llvm::BitVector read;
  llvm::BitVector passed;
  llvm::BitVector touched;

  explicit later_use(unsigned atoms) : read(atoms), passed(atoms), touched(atoms) {}
  bool take_in(const later_use& other) {
    const bool changed = other.read.test(read) || other.passed.test(passed) || other.touched.test(touched);
    read |= other.read;
    passed |= other.passed;
    touched |= other.touched;
    return changed;
  }
};

/// And before: may something have been put there, did its address go somewhere.
struct earlier_use {
  llvm::BitVector touched;
  llvm::BitVector passed;
  llvm::BitVector passed_since;  ///< it was resumed last

  explicit earlier_use(unsigned atoms) : touched(atoms), passed(atoms), passed_since(atoms) {}
  bool take_in(const earlier_use& other) {
    const bool changed =
        other.touched.test(touched) || other.passed.test(passed) || other.passed_since.test(passed_since);
    touched |= other.touched;
    passed |= other.passed;
    passed_since |= other.passed_since;
    return changed;
  }
};

struct function_effects {
  const frame_function* function = nullptr;
  std::vector<std::vector<effect>> at;                     ///< by instruction
  std::map<std::size_t, std::vector<std::size_t>> begins;  ///< instruction to the awaits that begin there
};

class liveness_finder {
 public:
  liveness_finder(const frame_source& source, const std::vector<scoped_variable>& variables,
                  std::vector<found_await>& awaits, const coroutine& of)
      : source_(source),
        variables_(variables),
        listed_(awaits),
        awaits_(awaits),
        of_(of),
        frame_bytes_(of.frame_bytes.value_or(0)) {
    add_unlisted();
  }

  /// False if there is no code to judge by, or too much of it.
  bool solve() {
    if (frame_bytes_ == 0 || !has_body()) return false;
    make_atoms();
    if (atoms_.size() > max_atoms) return false;
    collect_effects();
    later_.assign(awaits_.size(), later_use(count()));
    earlier_.assign(awaits_.size(), earlier_use(count()));
    return solve_later() && solve_earlier();
  }

  void describe(std::size_t number) {
    auto& await = listed_[number];
    auto& point = await.point;
    point.known_by = evidence::machine_code;
    point.variables.clear();
    point.live_bytes = point.held_bytes = point.dead_bytes = 0;
    const llvm::BitVector lent = reachable_at(number);
    for (unsigned i = 0; i < count(); ++i) {
      const auto [owner, in_scope] = owner_at(i, await);
      const byte_state state = state_of(i, number, owner, in_scope);
      const std::uint64_t bytes = atoms_[i].end - atoms_[i].begin;
      (state == byte_state::live   ? point.live_bytes
       : state == byte_state::held ? point.held_bytes
                                   : point.dead_bytes) += bytes;
      const bool of_another = state != byte_state::dead && !in_scope && is_declared_later(owner, await);
      add_variable(point, of_another ? &another_ : owner, state, atoms_[i]);
      if (later_[number].touched.test(i)) point.variables.back().touched_later = true;
      if (lent.test(i)) point.variables.back().lent = true;
    }
  }

 private:
  [[nodiscard]] unsigned count() const { return static_cast<unsigned>(atoms_.size()); }

  /// False also where not all of it could be followed: then nothing is known of what is used later.
  [[nodiscard]] bool has_body() const {
    return std::ranges::any_of(
               source_.functions,
               [&](const frame_function& one) { return one.role == function_role::resume && is_usable(one); }) &&
           std::ranges::all_of(source_.functions, [&](const frame_function& one) {
             return one.role == function_role::ramp || (is_usable(one) && !one.flow->has_gap());
           });
  }

  /// Between the first number and the last there may be suspensions whose beginning was not found. What comes after
  /// them is used later, too.
  void add_unlisted() {
    if (!of_.index_offset || awaits_.empty()) return;
    const bool gcc = source_.made_by == producer::gcc;
    const std::uint64_t last = awaits_.back().point.index;
    for (std::uint64_t index = gcc ? 2 : 0; index < last; index += gcc ? 2 : 1) {
      const auto has_it = [&](const found_await& one) { return one.point.index == index; };
      if (std::ranges::any_of(awaits_, has_it)) continue;
      found_await missing;
      missing.point.index = index;
      awaits_.push_back(std::move(missing));
    }
  }

  [[nodiscard]] bool is_usable(const frame_function& one) const {
    return one.frame_known && one.flow && !one.flow->empty() && !one.flow->gave_up();
  }

  void make_atoms() {
    std::set<std::uint64_t> bounds{0, frame_bytes_};
    const auto cut = [&](std::int64_t offset) {
      if (offset > 0 && std::cmp_less(offset, frame_bytes_)) {
        bounds.insert(static_cast<std::uint64_t>(offset));
      }
    };
    for (const auto& field : of_.fields) {
      cut(static_cast<std::int64_t>(field.offset));
      cut(static_cast<std::int64_t>(field.offset + field.bytes));
    }
    for (const auto& variable : variables_) {
      cut(static_cast<std::int64_t>(variable.field.offset));
      cut(static_cast<std::int64_t>(variable.field.offset + variable.field.bytes));
    }
    for (const auto& function : source_.functions) {
      if (!is_usable(function)) continue;
      for (std::size_t i = 0; i < function.flow->instructions().size(); ++i) {
        for (const auto& access : function.flow->accesses(i)) {
          if (access.base != function.frame.base) continue;
          const std::int64_t offset = access.offset - function.frame.offset;
          cut(offset);
          if (access.bytes > 0 && access.bytes <= frame_bytes_) cut(offset + static_cast<std::int64_t>(access.bytes));
        }
      }
    }
    for (auto at = bounds.begin(); std::next(at) != bounds.end(); ++at) atoms_.push_back({*at, *std::next(at)});
  }

  [[nodiscard]] unsigned atom_at(std::uint64_t offset) const {
    const auto after = std::ranges::upper_bound(atoms_, offset, {}, &atom::begin);
    return static_cast<unsigned>(std::prev(after) - atoms_.begin());
  }

  /// The object that a pointer to this place may be used for: the widest field there.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> object_at(std::uint64_t offset) const {
    std::uint64_t begin = offset;
    std::uint64_t end = offset;
    const auto widen = [&](const frame_field& field) {
      if (field.kind == field_kind::padding || field.offset > offset || field.offset + field.bytes <= offset) return;
      begin = std::min(begin, field.offset);
      end = std::max(end, field.offset + field.bytes);
    };
    for (const auto& field : of_.fields) widen(field);
    for (const auto& variable : variables_) widen(variable.field);
    // Nothing has a name here: it may be all up to where the next thing begins.
    if (end == offset) {
      end = frame_bytes_;
      for (const auto& field : of_.fields) {
        if (field.kind != field_kind::padding && field.offset > offset) end = std::min(end, field.offset);
      }
    }
    return {begin, end};
  }

  /// What may be touched with an index: an array, which may begin a little later as of "numbers[i - 1]", or end a
  /// little earlier, where a loop counts up to zero. From the head of the frame, which has no array, the index may lead
  /// anywhere: it is the offset of one of several fields.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> indexed_from(std::uint64_t offset, std::uint64_t bytes) const {
    if (offset < 16) return {0, frame_bytes_};
    constexpr std::uint64_t widest_element = 32;
    auto [begin, end] = object_at(offset);
    const std::uint64_t lowest = std::max<std::uint64_t>(16, offset - std::min(offset, widest_element));
    while (begin > lowest) begin = std::min(begin - 1, object_at(begin - 1).first);
    while (end < frame_bytes_ && end - begin < 2 * std::max<std::uint64_t>(bytes, 1)) end = object_at(end).second;
    return {begin, end};
  }

  /// A number is stored that cannot be told: any suspension may begin.
  [[nodiscard]] bool chooses_unknown(const frame_function& function, const memory_access& access) const {
    if (function.role != function_role::ramp && function.role != function_role::resume) return false;
    if (!of_.index_offset || access.what != memory_access::kind::write || access.base != function.frame.base) {
      return false;
    }
    const std::int64_t begin = access.offset - function.frame.offset;
    const auto index = static_cast<std::int64_t>(*of_.index_offset);
    const std::uint64_t bytes = std::max<std::uint64_t>(access.bytes, 1);
    if (begin >= index + of_.index_bytes || begin + static_cast<std::int64_t>(bytes) <= index) return false;
    return begin != index || access.written.empty() || std::ranges::any_of(access.written, [&](const constant& one) {
             return !is_listed(one.value) &&
                    (source_.made_by != producer::gcc || (one.value != 0 && one.value % 2 == 0));
           });
  }

  [[nodiscard]] bool is_listed(std::uint64_t index) const {
    return std::ranges::any_of(awaits_, [&](const found_await& one) { return one.point.index == index; });
  }

  void begin_all(std::vector<std::size_t>& into) const {
    into.clear();
    for (std::size_t number = 0; number < awaits_.size(); ++number) into.push_back(number);
  }

  /// Objects with a pointer to themselves in them, as a short std::string has: who reads the pointer reads the object.
  void find_self_pointers() {
    for (const auto& function : source_.functions) {
      if (!is_usable(function)) continue;
      for (std::size_t i = 0; i < function.flow->instructions().size(); ++i) {
        for (const auto& access : function.flow->accesses(i)) {
          const std::int64_t at = access.into_offset - function.frame.offset;
          const std::int64_t to = access.offset - function.frame.offset;
          if (access.what != memory_access::kind::passed || access.base != function.frame.base ||
              access.into != function.frame.base || at < 0 || to < 0 || std::cmp_greater_equal(at, frame_bytes_) ||
              std::cmp_greater_equal(to, frame_bytes_)) {
            continue;
          }
          const auto object = object_at(static_cast<std::uint64_t>(to));
          if (std::cmp_less(at, object.first) || std::cmp_greater_equal(at, object.second)) {
            stored_in_.emplace(atom_at(static_cast<std::uint64_t>(at)), object);
          } else {
            self_pointers_.emplace(static_cast<std::uint64_t>(at), object);
          }
        }
      }
    }
  }

  /// What is known outside of the coroutine while it is suspended: directly, or by a pointer in what is.
  [[nodiscard]] llvm::BitVector reachable_at(std::size_t number) const {
    llvm::BitVector all = earlier_[number].passed_since;
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [holder, object] : stored_in_) {
        if (!all.test(holder)) continue;
        for (unsigned i = atom_at(object.first); i < count() && atoms_[i].begin < object.second; ++i) {
          changed |= !all.test(i);
          all.set(i);
        }
      }
    }
    return all;
  }

  void collect_effects() {
    find_self_pointers();
    for (const auto& function : source_.functions) {
      if (!is_usable(function)) continue;
      function_effects one{.function = &function, .at = {}, .begins = {}};
      const auto& flow = *function.flow;
      one.at.resize(flow.instructions().size());
      for (std::size_t i = 0; i < one.at.size(); ++i) {
        for (const auto& access : flow.accesses(i)) {
          if (const auto found = effect_of(function, access)) one.at[i].push_back(*found);
          if (chooses_unknown(function, access)) begin_all(one.begins[i]);
        }
      }
      for (std::size_t number = 0; number < awaits_.size(); ++number) {
        for (const auto& site : awaits_[number].sites) {
          if (site.function != &function) continue;
          if (const auto place = flow.index_of(site.address)) one.begins[*place].push_back(number);
        }
      }
      effects_.push_back(std::move(one));
    }
  }

  [[nodiscard]] std::optional<effect> effect_of(const frame_function& function, const memory_access& access) const {
    if (access.base != function.frame.base) return std::nullopt;
    const std::int64_t signed_offset = access.offset - function.frame.offset;
    if (signed_offset < 0 || std::cmp_greater_equal(signed_offset, frame_bytes_)) return std::nullopt;
    const auto offset = static_cast<std::uint64_t>(signed_offset);
    effect one;
    std::uint64_t begin = offset;
    std::uint64_t end = offset + access.bytes;
    switch (access.what) {
      case memory_access::kind::read:
        one.what = effect::kind::read;
        for (const auto& [at, object] : self_pointers_) {
          if (access.indexed || at >= end || at + 8 <= begin) continue;
          begin = std::min(begin, object.first);
          end = std::max(end, object.second);
        }
        break;
      case memory_access::kind::write:
        one.what = effect::kind::write;
        one.certain = access.whole && access.bytes > 0;
        break;
      case memory_access::kind::passed:
        // The frame's own address is its handle: through it only the head and the promise are used.
        if (!access.indexed && (offset < 16 || offset == of_.promise_offset)) return std::nullopt;
        one.what = effect::kind::passed;
        break;
    }
    if (access.indexed) {
      std::tie(begin, end) = indexed_from(offset, access.bytes);
    } else if (access.bytes == 0 || access.what == memory_access::kind::passed) {
      std::tie(begin, end) = object_at(offset);
      // An object that points into itself, as a short std::string does, is not known outside by that.
      const std::int64_t into = access.into_offset - function.frame.offset;
      if (access.into == function.frame.base && std::cmp_greater_equal(into, begin) && std::cmp_less(into, end)) {
        return std::nullopt;
      }
    }
    end = std::min(end, frame_bytes_);
    if (begin >= end) return std::nullopt;
    one.first = atom_at(begin);
    one.last = atom_at(end - 1) + 1;
    if (one.what == effect::kind::write && atoms_[one.last - 1].end > end) one.certain = false;
    return one;
  }

  /// Goes backwards over one instruction.
  void step_back(const function_effects& of, std::size_t instruction, later_use& use) const {
    if (const auto begins = of.begins.find(instruction); begins != of.begins.end()) {
      for (const std::size_t number : begins->second) use.take_in(later_[number]);
    }
    for (const auto& one : of.at[instruction]) {
      if (one.what == effect::kind::write && one.certain) {
        use.read.reset(one.first, one.last);
        use.passed.reset(one.first, one.last);
      }
    }
    for (const auto& one : of.at[instruction]) {
      use.touched.set(one.first, one.last);
      if (one.what == effect::kind::read) use.read.set(one.first, one.last);
      if (one.what == effect::kind::passed) use.passed.set(one.first, one.last);
    }
  }

  static void step_forward(const function_effects& of, std::size_t instruction, earlier_use& use) {
    for (const auto& one : of.at[instruction]) {
      if (one.what == effect::kind::write) use.touched.set(one.first, one.last);
      if (one.what == effect::kind::passed) {
        use.touched.set(one.first, one.last);
        use.passed.set(one.first, one.last);
        use.passed_since.set(one.first, one.last);
      }
    }
  }

  bool spend(std::size_t blocks) {
    work_ += blocks * (count() / 64 + 1);
    return work_ < max_work;
  }

  /// What is used from the beginning of each block on.
  std::vector<later_use> uses_from_blocks(const function_effects& of, bool& within_limits) {
    const auto blocks = of.function->flow->blocks();
    std::vector<later_use> from(blocks.size(), later_use(count()));
    for (bool changed = true; changed && within_limits;) {
      changed = false;
      within_limits = spend(blocks.size());
      for (std::size_t b = blocks.size(); b-- > 0;) {
        if (!blocks[b].reached) continue;
        later_use use(count());
        for (const std::size_t next : blocks[b].successors) use.take_in(from[next]);
        for (std::size_t i = blocks[b].last; i-- > blocks[b].first;) step_back(of, i, use);
        changed |= from[b].take_in(use);
      }
    }
    return from;
  }

  later_use use_from(const function_effects& of, const std::vector<later_use>& blocks, std::uint64_t address) const {
    later_use use(count());
    const auto number = of.function->flow->block_of(address);
    const auto first = of.function->flow->index_of(address);
    if (!number || !first) return use;
    const auto& block = of.function->flow->blocks()[*number];
    for (const std::size_t next : block.successors) use.take_in(blocks[next]);
    for (std::size_t i = block.last; i-- > *first;) step_back(of, i, use);
    return use;
  }

  /// Where a function goes on when it is entered for this await.
  [[nodiscard]] std::vector<function_flow::entry_point> entries(const function_effects& of, std::size_t number) const {
    std::vector<function_flow::entry_point> all;
    const auto& point = awaits_[number].point;
    const auto index = point.index;
    const bool gcc = source_.made_by == producer::gcc;
    std::vector<function_flow::known_word> known;
    // At the final suspension the resume pointer is null, which destroying looks at.
    if (point.kind == suspension::final) {
      if (of.function->role == function_role::resume && !gcc) return all;
      if (!gcc) known.push_back({0, 8, 0});
    } else if (!gcc && of.function->role != function_role::resume) {
      // Not null: the address of the function itself.
      known.push_back({0, 8, source_address()});
    }
    const auto with_index = [&](std::uint64_t number_stored) {
      auto words = known;
      if (of_.index_offset) {
        words.push_back({static_cast<std::int64_t>(*of_.index_offset), of_.index_bytes, number_stored});
      }
      all.push_back(of.function->flow->enter(words));
    };
    if (!gcc) {
      with_index(index);
    } else if (of.function->role == function_role::resume) {
      if (point.kind != suspension::final) with_index(index);
      with_index(index | 1U);
    }
    return all;
  }

  [[nodiscard]] std::uint64_t source_address() const {
    for (const auto& function : source_.functions) {
      if (function.role == function_role::resume && !function.ranges.empty()) return function.ranges.front().begin;
    }
    return 1;
  }

  bool solve_later() {
    bool within_limits = true;
    for (bool changed = true; changed && within_limits;) {
      changed = false;
      for (const auto& of : effects_) {
        if (of.function->role == function_role::ramp) continue;
        const auto blocks = uses_from_blocks(of, within_limits);
        for (std::size_t number = 0; number < awaits_.size() && within_limits; ++number) {
          for (const auto& entry : entries(of, number)) {
            later_use use = use_from(of, blocks, entry.address);
            for (const auto at : std::views::reverse(entry.path)) step_back(of, at, use);
            changed |= later_[number].take_in(use);
          }
          within_limits = within_limits && spend(8);
        }
      }
    }
    return within_limits;
  }

  /// What may be touched after a suspension began, before the function is left.
  void touch_after(const function_effects& of, std::size_t instruction, std::size_t number, earlier_use& use) const {
    const auto& flow = *of.function->flow;
    const auto first = flow.block_of(flow.instructions()[instruction].address);
    if (!first) return;
    std::vector<bool> seen(flow.blocks().size(), false);
    std::vector<std::pair<std::size_t, std::size_t>> waiting{{*first, instruction}};
    while (!waiting.empty()) {
      const auto [block, from] = waiting.back();
      waiting.pop_back();
      bool goes_on = true;
      for (std::size_t i = from; i < flow.blocks()[block].last && goes_on; ++i) {
        // Where the next suspension begins, this one is over.
        const auto begins = of.begins.find(i);
        if (i != instruction && begins != of.begins.end() &&
            std::ranges::find(begins->second, number) == begins->second.end()) {
          goes_on = false;
        }
        if (goes_on) step_forward(of, i, use);
      }
      if (!goes_on) continue;
      for (const std::size_t next : flow.blocks()[block].successors) {
        if (seen[next]) continue;
        seen[next] = true;
        waiting.emplace_back(next, flow.blocks()[next].first);
      }
    }
  }

  /// Where a suspension begins, with what was touched until then.
  void begin_suspension(const function_effects& of, std::size_t instruction, const earlier_use& use, bool& changed) {
    const auto begins = of.begins.find(instruction);
    if (begins == of.begins.end()) return;
    for (const std::size_t number : begins->second) {
      changed |= earlier_[number].take_in(use);
      if (touched_after_.emplace(&of, instruction, number).second) {
        earlier_use after(count());
        touch_after(of, instruction, number, after);
        changed |= earlier_[number].take_in(after);
      }
    }
  }

  bool go_forward(const function_effects& of, const function_flow::entry_point& entry, earlier_use start,
                  bool& changed) {
    const auto& flow = *of.function->flow;
    const auto first = flow.block_of(entry.address);
    const auto begin = flow.index_of(entry.address);
    if (!first || !begin) return true;
    start.passed_since.reset();
    for (const std::size_t i : entry.path) {
      begin_suspension(of, i, start, changed);
      step_forward(of, i, start);
    }
    std::vector<std::optional<earlier_use>> at(flow.blocks().size());
    std::vector<std::size_t> waiting;
    const auto run = [&](std::size_t number, std::size_t from, earlier_use use) {
      const auto& block = flow.blocks()[number];
      for (std::size_t i = from; i < block.last; ++i) {
        begin_suspension(of, i, use, changed);
        step_forward(of, i, use);
      }
      for (const std::size_t next : block.successors) {
        if (!at[next]) {
          at[next] = use;
          waiting.push_back(next);
        } else if (at[next]->take_in(use)) {
          waiting.push_back(next);
        }
      }
    };
    run(*first, *begin, start);
    while (!waiting.empty()) {
      if (!spend(1)) return false;
      const std::size_t number = waiting.back();
      waiting.pop_back();
      if (const auto& use = at[number]) run(number, flow.blocks()[number].first, earlier_use(*use));
    }
    return true;
  }

  bool solve_earlier() {
    const bool gcc = source_.made_by == producer::gcc;
    bool ignored = false;
    bool ramp_known = false;
    earlier_use everything(count());
    everything.touched.set();
    everything.passed.set();
    everything.passed_since.set();
    earlier_use from_ramp(count());
    for (const auto& of : effects_) {
      if (of.function->role != function_role::ramp) continue;
      ramp_known = true;
      if (gcc) {
        // It only fills the frame and calls the actor.
        for (std::size_t i = 0; i < of.at.size(); ++i) step_forward(of, i, from_ramp);
      } else if (!go_forward(of, {.address = of.function->ranges.front().begin, .path = {}}, earlier_use(count()),
                             ignored)) {
        return false;
      }
    }
    if (!ramp_known) {
      // The ramp was inlined somewhere: anything may have been put into the frame before the first await.
      from_ramp = everything;
    }
    for (std::size_t number = 0; number < awaits_.size(); ++number) {
      // Where it is suspended was not found, or that is in a ramp that was inlined: anything may have been touched.
      if (awaits_[number].sites.empty()) earlier_[number] = everything;
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& of : effects_) {
        if (of.function->role != function_role::resume) continue;
        if (gcc && !go_forward(of, of.function->flow->enter(start_word()), from_ramp, changed)) return false;
        for (std::size_t number = 0; number < awaits_.size(); ++number) {
          for (const auto& entry : entries(of, number)) {
            if (!go_forward(of, entry, earlier_[number], changed)) return false;
          }
        }
      }
    }
    return true;
  }

  [[nodiscard]] std::vector<function_flow::known_word> start_word() const {
    if (!of_.index_offset) return {};
    return {{static_cast<std::int64_t>(*of_.index_offset), of_.index_bytes, 0}};
  }

  struct ownership {
    const frame_field* field = nullptr;
    bool in_scope = false;
  };

  /// The name under which a byte goes at an await: the innermost variable in scope, or the field that it is in.
  ownership owner_at(unsigned number, const found_await& await) const {
    const atom& range = atoms_[number];
    const scoped_variable* best = nullptr;
    for (const auto& variable : variables_) {
      if (variable.field.offset > range.begin || variable.field.offset + variable.field.bytes < range.end) continue;
      if (!is_in_scope(variable, await)) continue;
      if (best == nullptr ||
          std::pair(variable.inlined, variable.scope_bytes) < std::pair(best->inlined, best->scope_bytes)) {
        best = &variable;
      }
    }
    const frame_field* field = nullptr;
    for (const auto& one : of_.fields) {
      if (one.offset > range.begin || one.offset + one.bytes < range.end) continue;
      if (field == nullptr || one.bytes < field->bytes) field = &one;
    }
    if (best != nullptr &&
        (field == nullptr || (field->kind != field_kind::promise && field->kind != field_kind::abi))) {
      return {.field = &best->field, .in_scope = true};
    }
    return {.field = field, .in_scope = false};
  }

  static bool is_in_scope(const scoped_variable& variable, const found_await& await) {
    const auto& declared = variable.field.declared;
    if (!variable.inlined && declared.line != 0 && await.point.where.line != 0 &&
        declared.file == await.point.where.file && declared.line > await.point.where.line) {
      return false;
    }
    return std::ranges::any_of(await.sites,
                               [&](const suspend_site& site) { return variable.in_scope_at(site.address); });
  }

  /// Whether the await stands before the variable: what is in its place there is another object.
  [[nodiscard]] bool is_declared_later(const frame_field* field, const found_await& await) const {
    return field != nullptr && field->kind == field_kind::local && await.point.where.line != 0 &&
           std::ranges::any_of(variables_, [&](const scoped_variable& one) {
             return !one.inlined && one.field.name == field->name && one.field.offset == field->offset &&
                    one.field.declared.file == await.point.where.file &&
                    one.field.declared.line > await.point.where.line;
           });
  }

  /// g++ gives every variable a place of its own, so one that is out of scope is gone. But only without optimization
  /// does the code around an await tell which scopes it is in.
  [[nodiscard]] bool is_exclusive(const frame_field& field) const {
    return source_.made_by == producer::gcc && !source_.optimized && field.kind == field_kind::local;
  }

  [[nodiscard]] bool has_variable(const frame_field& field) const {
    return std::ranges::any_of(
        variables_, [&](const scoped_variable& one) { return one.field.offset == field.offset && !one.inlined; });
  }

  byte_state state_of(unsigned number, std::size_t await, const frame_field* owner, bool in_scope) const {
    if (owner == nullptr) {
      const bool used = later_[await].read.test(number) && earlier_[await].touched.test(number);
      return used ? byte_state::live : byte_state::dead;
    }
    if (owner->kind == field_kind::abi || owner->kind == field_kind::promise) return byte_state::live;
    const auto kind = awaits_[await].point.kind;
    if (!earlier_[await].touched.test(number)) return byte_state::dead;
    if (later_[await].read.test(number)) return byte_state::live;
    // Where it is suspended has to be known for that.
    const bool gone = !awaits_[await].sites.empty() && !in_scope && is_exclusive(*owner) && has_variable(*owner) &&
                      kind == suspension::await;
    if (gone) return byte_state::dead;
    if (later_[await].passed.test(number)) return in_scope ? byte_state::live : byte_state::held;
    if (earlier_[await].passed.test(number)) return byte_state::held;
    return byte_state::dead;
  }

  /// Parts of an object that the optimizer took apart.
  static bool is_same_variable(const variable_at_await& last, const frame_field& next) {
    return next.declared.line != 0 && last.declared == next.declared;
  }

  static void add_variable(await_point& point, const frame_field* owner, byte_state state, const atom& range) {
    const std::uint64_t bytes = range.end - range.begin;
    const std::string& name = owner == nullptr ? std::string() : owner->name;
    if (!point.variables.empty()) {
      auto& last = point.variables.back();
      const bool same_owner = owner == nullptr
                                  ? last.kind == field_kind::padding
                                  : last.name == name && last.type == owner->type && last.kind == owner->kind &&
                                        (is_same_variable(last, *owner) ||
                                         (last.offset >= owner->offset && last.offset < owner->offset + owner->bytes));
      if (same_owner && last.state == state && last.offset + last.bytes == range.begin) {
        last.bytes += bytes;
        return;
      }
    }
    variable_at_await one{.name = name, .type = {}, .offset = range.begin, .bytes = bytes, .state = state};
    one.kind = owner == nullptr ? field_kind::padding : owner->kind;
    if (owner != nullptr) {
      one.type = owner->type;
      one.declared = owner->declared;
    }
    point.variables.push_back(std::move(one));
  }

  const frame_field another_{.name = "(unnamed)", .type = {}, .kind = field_kind::unnamed};
  const frame_source& source_;
  const std::vector<scoped_variable>& variables_;
  std::vector<found_await>& listed_;
  std::vector<found_await> awaits_;  ///< with those that are not listed
  const coroutine& of_;
  std::uint64_t frame_bytes_;
  std::vector<atom> atoms_;
  std::multimap<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> self_pointers_;
  std::multimap<unsigned, std::pair<std::uint64_t, std::uint64_t>> stored_in_;  ///< by the atom with the pointer
  std::vector<function_effects> effects_;
  std::vector<later_use> later_;
  std::vector<earlier_use> earlier_;
  std::set<std::tuple<const function_effects*, std::size_t, std::size_t>> touched_after_;
  std::size_t work_ = 0;
};

}  // namespace

void assume_whole_frame(std::vector<found_await>& awaits, const coroutine& of) {
  const std::uint64_t frame = of.frame_bytes.value_or(0);
  for (auto& await : awaits) {
    auto& point = await.point;
    point.known_by = evidence::whole_frame;
    point.variables.clear();
    std::uint64_t covered_to = 0;
    point.dead_bytes = 0;
    const auto pad = [&](std::uint64_t end) {
      if (end <= covered_to) return;
      point.variables.push_back({.name = {},
                                 .type = {},
                                 .offset = covered_to,
                                 .bytes = end - covered_to,
                                 .state = byte_state::dead,
                                 .kind = field_kind::padding,
                                 .declared = {}});
      point.dead_bytes += end - covered_to;
    };
    for (const auto& field : of.fields) {
      if (field.offset + field.bytes <= covered_to) continue;
      pad(field.offset);
      const std::uint64_t begin = std::max(field.offset, covered_to);
      const bool sure = field.kind == field_kind::abi || field.kind == field_kind::promise;
      point.variables.push_back({.name = field.name,
                                 .type = field.type,
                                 .offset = begin,
                                 .bytes = field.offset + field.bytes - begin,
                                 .state = sure ? byte_state::live : byte_state::held,
                                 .kind = field.kind,
                                 .declared = field.declared});
      covered_to = field.offset + field.bytes;
    }
    pad(frame);
    point.live_bytes = point.held_bytes = 0;
    for (const auto& one : point.variables) {
      if (one.state == byte_state::live) point.live_bytes += one.bytes;
      if (one.state == byte_state::held) point.held_bytes += one.bytes;
    }
  }
}

void find_liveness(const frame_source& source, const std::vector<scoped_variable>& variables,
                   std::vector<found_await>& awaits, const coroutine& of) {
  liveness_finder finder(source, variables, awaits, of);
  if (!finder.solve()) {
    assume_whole_frame(awaits, of);
    return;
  }
  for (std::size_t i = 0; i < awaits.size(); ++i) finder.describe(i);
}

}  // namespace tare::inspect
