#include "inspect/coroutine/compiler_view.hpp"

#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/scopes.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

using place = compiler_record::place;

/// The description of the recorded variables in the debug information.
class described_variables {
 public:
  explicit described_variables(const frame_source& source) {
    const auto add = [this](const llvm::DWARFDie& variable, const std::vector<code_range>& scope, bool inlined) {
      if (inlined) return;
      const source_line declared = declaration(variable);
      auto& current = all_[{std::string(short_name(variable)), declared.line}];
      if (current.field.name.empty()) {
        const auto type = type_of(variable);
        current.field.name = short_name(variable);
        current.field.type = without_noise(type_text(type));
        current.field.type_entry = entry_of(type);
        current.field.declared = declared;
        current.field.kind =
            variable.getTag() == dwarf::DW_TAG_formal_parameter ? field_kind::parameter : field_kind::local;
      }
      for (const auto& range : scope) {
        if (std::ranges::find(current.scope, range) != current.scope.end()) continue;
        current.scope.push_back(range);
        current.scope_bytes += range.end - range.begin;
      }
    };
    for (const auto& function : source.functions) for_each_variable(function.die, function.ranges, add);
  }

  [[nodiscard]] const scoped_variable* find(const compiler_record::variable& named) const {
    const auto found = all_.find({named.name, named.line});
    return found == all_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::pair<std::string, std::uint32_t>, scoped_variable> all_;
};

bool is_in(const frame_field& field, const place& where) {
  return field.offset >= where.offset && field.offset + field.bytes <= where.offset + where.bytes;
}

bool is_named_so(const frame_field& field, const compiler_record::variable& named) {
  return field.name == named.name && field.declared.line == named.line;
}

bool covers(const place& where, std::uint64_t offset) {
  return offset >= where.offset && offset - where.offset < where.bytes;
}

byte_state join(byte_state code, byte_state compiler) {
  if (code == byte_state::dead || compiler == byte_state::dead) return byte_state::dead;
  return code == byte_state::live || compiler == byte_state::live ? byte_state::live : byte_state::held;
}

class state_joiner {
 public:
  state_joiner(const compiler_record& recorded, const std::vector<scoped_variable>& variables)
      : recorded_(recorded), variables_(variables) {
    for (const auto& each : recorded.places) {
      if (!each.states.empty()) bounds_.insert({each.offset, each.offset + each.bytes});
    }
  }

  void apply(await_point& point) const {
    const auto await = std::ranges::find_if(recorded_.awaits, [&](const compiler_record::await& each) {
      return each.index == point.index && each.final == (point.kind == suspension::final);
    });
    if (await == recorded_.awaits.end()) return;
    const auto column = static_cast<std::size_t>(await - recorded_.awaits.begin());
    point.known_by = evidence::compiler;
    point.live_bytes = point.held_bytes = point.dead_bytes = 0;
    for (const auto& whole : std::exchange(point.variables, {})) {
      for (const auto& part : split(whole)) add(point, joined(part, column));
    }
  }

 private:
  /// Divides a variable into parts, each of which is entirely inside the same objects.
  [[nodiscard]] std::vector<variable_at_await> split(const variable_at_await& whole) const {
    std::vector<variable_at_await> parts;
    const std::uint64_t end = whole.offset + whole.bytes;
    for (std::uint64_t address = whole.offset; address < end;) {
      const auto next = bounds_.upper_bound(address);
      const std::uint64_t to = next == bounds_.end() ? end : std::min(end, *next);
      auto& part = parts.emplace_back(whole);
      part.offset = address;
      part.bytes = to - address;
      address = to;
    }
    return parts;
  }

  [[nodiscard]] variable_at_await joined(variable_at_await part, std::size_t column) const {
    if (part.kind == field_kind::abi || part.kind == field_kind::promise) return part;
    bool is_recorded = false;
    byte_state state = byte_state::dead;
    const place* kept = nullptr;
    for (const auto& each : recorded_.places) {
      if (each.states.empty() || !covers(each, part.offset)) continue;
      is_recorded = true;
      if (each.states[column] == byte_state::dead) continue;
      if (state != byte_state::live) state = each.states[column];
      kept = &each;
    }
    if (!is_recorded) return part;
    part.state = join(part.state, state);
    if (kept != nullptr && !kept->variables.empty()) rename(part, *kept);
    return part;
  }

  /// The object that is at this place now; other objects may use it at other times.
  void rename(variable_at_await& part, const place& kept) const {
    const auto found = std::ranges::find_if(variables_, [&](const scoped_variable& variable) {
      return variable.field.offset == kept.offset && is_named_so(variable.field, kept.variables.front());
    });
    if (found == variables_.end()) return;
    part.name = found->field.name;
    part.type = found->field.type;
    part.kind = found->field.kind;
    part.declared = found->field.declared;
  }

  static void add(await_point& point, variable_at_await part) {
    (part.state == byte_state::live   ? point.live_bytes
     : part.state == byte_state::held ? point.held_bytes
                                      : point.dead_bytes) += part.bytes;
    if (!point.variables.empty()) {
      auto& last = point.variables.back();
      if (last.name == part.name && last.type == part.type && last.kind == part.kind && last.state == part.state &&
          last.declared == part.declared && last.touched_later == part.touched_later && last.lent == part.lent) {
        last.bytes += part.bytes;
        return;
      }
    }
    point.variables.push_back(std::move(part));
  }

  const compiler_record& recorded_;
  const std::vector<scoped_variable>& variables_;
  std::set<std::uint64_t> bounds_;  ///< of the objects
};

}  // namespace

std::vector<scoped_variable> with_recorded_variables(std::vector<scoped_variable> variables,
                                                     const compiler_record& recorded, const frame_source& source,
                                                     const std::vector<frame_field>& fields) {
  const described_variables described(source);
  for (const auto& where : recorded.places) {
    const bool taken = std::ranges::any_of(fields, [&](const frame_field& field) {
      return (field.kind == field_kind::abi || field.kind == field_kind::promise) &&
             where.offset < field.offset + field.bytes && field.offset < where.offset + where.bytes;
    });
    if (taken) continue;
    for (const auto& named : where.variables) {
      const auto* known = described.find(named);
      if (known == nullptr) continue;
      // The record describes the whole of what was found in pieces.
      std::erase_if(variables, [&](const scoped_variable& each) {
        return !each.inlined && is_named_so(each.field, named) && is_in(each.field, where);
      });
      auto& each = variables.emplace_back(*known);
      each.field.offset = where.offset;
      each.field.bytes = where.bytes;
    }
  }
  return variables;
}

std::vector<found_await> with_recorded_states(std::vector<found_await> awaits, const compiler_record& recorded,
                                              const std::vector<scoped_variable>& variables) {
  const state_joiner joiner(recorded, variables);
  for (auto& each : awaits) joiner.apply(each.point);
  return awaits;
}

}  // namespace tare::inspect
