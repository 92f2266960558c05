#include "inspect/coroutine/liveness.hpp"

#include "inspect/coroutine/frame_access.hpp"
#include "inspect/coroutine/used_later.hpp"
#include "inspect/coroutine/written_earlier.hpp"

#include <algorithm>
#include <utility>

namespace tare::inspect {
namespace {

constexpr unsigned max_atoms = 8192;

/// False if some of it could not be followed: then later uses are not known.
bool has_body(const frame_source& source) {
  return std::ranges::any_of(source.functions,
                             [](const frame_function& function) {
                               return function.role == function_role::resume && is_followed(function);
                             }) &&
         std::ranges::all_of(source.functions, [](const frame_function& function) {
           return function.role == function_role::ramp || (is_followed(function) && !function.flow->has_gap());
         });
}

/// Between the first and the last number there may be suspensions whose beginning was not found. Code after these
/// counts as later use too.
std::vector<found_await> with_unlisted(std::vector<found_await> awaits, const frame_source& source,
                                       const coroutine& coroutine) {
  if (!coroutine.index_offset || awaits.empty()) return awaits;
  const bool gcc = source.made_by == producer::gcc;
  const std::uint64_t last = awaits.back().point.index;
  for (std::uint64_t index = gcc ? 2 : 0; index < last; index += gcc ? 2 : 1) {
    const auto has_it = [&](const found_await& await) { return await.point.index == index; };
    if (std::ranges::any_of(awaits, has_it)) continue;
    found_await missing;
    missing.point.index = index;
    awaits.push_back(std::move(missing));
  }
  return awaits;
}

/// Determines for each await which bytes are live, held and dead, and their names.
class describer {
 public:
  describer(const frame_source& source, const std::vector<scoped_variable>& variables,
            const std::vector<found_await>& awaits, const coroutine& coroutine, const frame_effects& effects,
            std::vector<later_use> later, std::vector<earlier_use> earlier)
      : source_(source),
        variables_(variables),
        awaits_(awaits),
        of_(coroutine),
        effects_(effects),
        atoms_(effects.atoms()),
        later_(std::move(later)),
        earlier_(std::move(earlier)) {}

  [[nodiscard]] await_point describe(std::size_t number) const {
    const found_await& await = awaits_[number];
    await_point point = await.point;
    point.known_by = evidence::machine_code;
    point.variables.clear();
    point.live_bytes = point.held_bytes = point.dead_bytes = 0;
    const llvm::BitVector lent = reachable_at(number);
    for (unsigned i = 0; i < atoms_.count(); ++i) {
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
    return point;
  }

 private:
  /// The objects that code outside the coroutine can reach while it is suspended, directly or through pointers.
  [[nodiscard]] llvm::BitVector reachable_at(std::size_t number) const {
    llvm::BitVector all = earlier_[number].passed_since;
    effects_.add_pointees(all);
    return all;
  }

  struct ownership {
    const frame_field* field = nullptr;
    bool in_scope = false;
  };

  /// The name of a byte at an await: that of the innermost variable in scope, or of the field that contains it.
  ownership owner_at(unsigned number, const found_await& await) const {
    const byte_range& range = atoms_[number];
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
    for (const auto& each : of_.fields) {
      if (each.offset > range.begin || each.offset + each.bytes < range.end) continue;
      if (field == nullptr || each.bytes < field->bytes) field = &each;
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

  /// Whether the await precedes the variable: then another object is in its place.
  [[nodiscard]] bool is_declared_later(const frame_field* field, const found_await& await) const {
    return field != nullptr && field->kind == field_kind::local && await.point.where.line != 0 &&
           std::ranges::any_of(variables_, [&](const scoped_variable& variable) {
             return !variable.inlined && variable.field.name == field->name && variable.field.offset == field->offset &&
                    variable.field.declared.file == await.point.where.file &&
                    variable.field.declared.line > await.point.where.line;
           });
  }

  /// g++ gives every variable a place of its own, so a variable that is out of scope is dead. But only without
  /// optimization does the code around an await show its scopes.
  [[nodiscard]] bool is_exclusive(const frame_field& field) const {
    return source_.made_by == producer::gcc && !source_.optimized && field.kind == field_kind::local;
  }

  [[nodiscard]] bool has_variable(const frame_field& field) const {
    return std::ranges::any_of(variables_, [&](const scoped_variable& variable) {
      return variable.field.offset == field.offset && !variable.inlined;
    });
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
    // This needs the places at which it is suspended.
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

  static void add_variable(await_point& point, const frame_field* owner, byte_state state, const byte_range& range) {
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
    variable_at_await variable{.name = name, .type = {}, .offset = range.begin, .bytes = bytes, .state = state};
    variable.kind = owner == nullptr ? field_kind::padding : owner->kind;
    if (owner != nullptr) {
      variable.type = owner->type;
      variable.declared = owner->declared;
    }
    point.variables.push_back(std::move(variable));
  }

  const frame_field another_{.name = "(unnamed)", .type = {}, .kind = field_kind::unnamed};
  const frame_source& source_;
  const std::vector<scoped_variable>& variables_;
  const std::vector<found_await>& awaits_;
  const coroutine& of_;
  const frame_effects& effects_;
  const frame_atoms& atoms_;
  std::vector<later_use> later_;
  std::vector<earlier_use> earlier_;
};

}  // namespace

std::vector<found_await> with_whole_frame(std::vector<found_await> awaits, const coroutine& coroutine) {
  const std::uint64_t frame = coroutine.frame_bytes.value_or(0);
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
    for (const auto& field : coroutine.fields) {
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
    for (const auto& each : point.variables) {
      if (each.state == byte_state::live) point.live_bytes += each.bytes;
      if (each.state == byte_state::held) point.held_bytes += each.bytes;
    }
  }
  return awaits;
}

std::vector<found_await> with_liveness(std::vector<found_await> awaits, const frame_source& source,
                                       const std::vector<scoped_variable>& variables, const coroutine& coroutine) {
  const auto give_up = [&] { return with_whole_frame(std::move(awaits), coroutine); };
  if (coroutine.frame_bytes.value_or(0) == 0 || !has_body(source)) return give_up();
  const frame_atoms atoms(source, variables, coroutine);
  if (atoms.count() > max_atoms) return give_up();
  const std::vector<found_await> all = with_unlisted(awaits, source, coroutine);
  const frame_effects effects(source, all, coroutine, atoms);
  work_limit work(atoms.count());
  auto later = find_used_later(source, all, coroutine, effects, work);
  if (!later) return give_up();
  auto earlier = find_written_earlier(source, all, coroutine, effects, work);
  if (!earlier) return give_up();
  const describer of_awaits(source, variables, all, coroutine, effects, std::move(*later), std::move(*earlier));
  for (std::size_t i = 0; i < awaits.size(); ++i) awaits[i].point = of_awaits.describe(i);
  return awaits;
}

}  // namespace tare::inspect
