#include "inspect/coroutine/slot_names.hpp"

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/code_line.hpp"
#include "inspect/coroutine/frame_access.hpp"
#include "inspect/coroutine/llvm_names.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/scopes.hpp"
#include "inspect/dwarf/location.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::size_t max_variables = 5000;

/// A variable that may be in the frame.
struct candidate {
  frame_field field;      ///< without its offset
  std::string type_stem;  ///< the type's name as LLVM spells it: "std____cxx11__basic_string"
  std::vector<code_range> scope;
  bool inlined = false;
  std::set<std::uint64_t> offsets;  ///< where parts of it were located
};

/// Which register a variable is in, and where in the code.
struct register_range {
  std::size_t variable = 0;
  code_range where;
  std::int8_t number = no_register;
};

/// A field of the frame that still has LLVM's name.
struct slot {
  std::size_t field = 0;
  std::string type_stem;
  std::vector<std::pair<std::uint64_t, source_line>> uses;  ///< instructions, and their lines
};

bool is_array(llvm::DWARFDie type) {
  constexpr int deepest = 7;
  type = without_aliases(type, true, deepest);
  return type.isValid() && type.getTag() == dwarf::DW_TAG_array_type;
}

constexpr std::string_view array_stem = "[]";

/// "the register, and nothing else": DW_OP_reg3, or its content as a value.
std::int8_t register_in(llvm::ArrayRef<std::uint8_t> expression) {
  if (expression.size() == 1 && expression[0] >= dwarf::DW_OP_reg0 && expression[0] <= dwarf::DW_OP_reg31) {
    return register_of_dwarf(expression[0] - dwarf::DW_OP_reg0);
  }
  if (expression.size() == 3 && expression[0] >= dwarf::DW_OP_breg0 && expression[0] <= dwarf::DW_OP_breg31 &&
      expression[1] == 0 && expression[2] == dwarf::DW_OP_stack_value) {
    return register_of_dwarf(expression[0] - dwarf::DW_OP_breg0);
  }
  return no_register;
}

class slot_namer {
 public:
  slot_namer(const unit_context& unit, const frame_source& source, std::vector<scoped_variable> variables,
             std::vector<frame_field> fields)
      : unit_(unit), source_(source), variables_(std::move(variables)), fields_(std::move(fields)) {}

  named_slots run() {
    const auto add_variable = [this](const llvm::DWARFDie& variable, const std::vector<code_range>& scope,
                                     bool inlined) { add(variable, scope, inlined); };
    for (const auto& function : source_.functions) {
      if (!function.frame_known || function.flow == nullptr || function.flow->empty()) continue;
      ranges_.clear();
      for_each_variable(function.die, function.ranges, add_variable);
      follow_registers(function);
    }
    add_known_offsets();
    add_voted();
    find_slots();
    match_types();
    name_the_rest();
    return {.variables = std::move(variables_), .fields = std::move(fields_)};
  }

 private:
  void add(const llvm::DWARFDie& variable, const std::vector<code_range>& scope, bool inlined) {
    const std::string_view name = short_name(variable);
    if (candidates_.size() > max_variables || name.empty() || name.starts_with("__coro_") || name == "__promise" ||
        (name == "this" && inlined)) {
      return;
    }
    const source_line declared = declaration(variable);
    const auto [known, fresh] =
        numbers_.try_emplace(std::tuple(std::string(name), declared.line, declared.file, inlined), candidates_.size());
    if (fresh) {
      const auto type = type_of(variable);
      candidate each;
      each.field.name = name;
      each.field.bytes = type_bytes(type);
      each.field.declared = declared;
      each.field.kind =
          variable.getTag() == dwarf::DW_TAG_formal_parameter && !inlined ? field_kind::parameter : field_kind::local;
      each.field.type = without_noise(type_text(type));
      each.field.type_entry = entry_of(type);
      each.type_stem = is_array(type) ? std::string(array_stem) : llvm_spelling(type_text(without_aliases(type, true)));
      each.inlined = inlined;
      candidates_.push_back(std::move(each));
    }
    auto& each = candidates_[known->second];
    for (const auto& range : scope) {
      if (std::ranges::find(each.scope, range) == each.scope.end()) each.scope.push_back(range);
    }
    auto locations = variable.getLocations(dwarf::DW_AT_location);
    if (!locations) {
      llvm::consumeError(locations.takeError());
      return;
    }
    for (const auto& location : *locations) {
      const auto number = register_in(location.Expr);
      if (number == no_register || !location.Range) continue;
      ranges_.push_back({known->second, {location.Range->LowPC, location.Range->HighPC}, number});
    }
  }

  /// The place in the frame that an instruction reads or writes with this width.
  static std::optional<std::uint64_t> frame_offset(const frame_function& function, std::size_t instruction,
                                                   memory_access::kind what, std::uint64_t bytes) {
    for (const auto& access : function.flow->accesses(instruction)) {
      if (access.what != what || access.base != function.frame.base || access.bytes != bytes || !access.whole) continue;
      const std::int64_t offset = access.offset - function.frame.offset;
      if (std::cmp_greater_equal(offset, frame_head_bytes)) return static_cast<std::uint64_t>(offset);
    }
    return std::nullopt;
  }

  void follow_registers(const frame_function& function) {
    const auto instructions = function.flow->instructions();
    for (const auto& range : ranges_) {
      const std::uint64_t bytes = candidates_[range.variable].field.bytes;
      if (bytes == 0 || bytes > 8) continue;
      const auto first = std::ranges::lower_bound(instructions, range.where.begin, {}, &instruction::address);
      // The place from which the variable was just loaded.
      if (first != instructions.begin()) {
        const auto& before = *std::prev(first);
        const bool loads = before.next() == range.where.begin && before.loads && before.operand_count > 0 &&
                           before.operands[0].what == operand::kind::in_register && before.operands[0].general &&
                           before.operands[0].number == range.number && is_move(before);
        const auto place = static_cast<std::size_t>(std::prev(first) - instructions.begin());
        if (loads) vote(range.variable, frame_offset(function, place, memory_access::kind::read, bytes));
      }
      // The place where it is stored while it is in the register.
      for (auto found = first; found != instructions.end() && found->address < range.where.end; ++found) {
        const bool stores = found->stores && found->what == operation::move && found->operand_count > 1 &&
                            found->operands[1].what == operand::kind::in_register && found->operands[1].general &&
                            !found->operands[1].high_byte && found->operands[1].number == range.number;
        if (!stores) continue;
        const auto place = static_cast<std::size_t>(found - instructions.begin());
        vote(range.variable, frame_offset(function, place, memory_access::kind::write, bytes));
      }
    }
  }

  static bool is_move(const instruction& instruction) {
    return instruction.what == operation::move || instruction.what == operation::move_zero_extended ||
           instruction.what == operation::move_sign_extended;
  }

  void vote(std::size_t variable, const std::optional<std::uint64_t>& offset) {
    if (offset) votes_.insert({variable, *offset});
  }

  [[nodiscard]] bool is_free(std::uint64_t offset, std::uint64_t bytes) const {
    return std::ranges::any_of(fields_, [&](const frame_field& field) {
      return field.kind == field_kind::unnamed && offset >= field.offset &&
             offset + bytes <= field.offset + field.bytes;
    });
  }

  void add_known_offsets() {
    for (const auto& each : variables_) {
      const auto known =
          numbers_.find(std::tuple(each.field.name, each.field.declared.line, each.field.declared.file, each.inlined));
      if (known != numbers_.end()) candidates_[known->second].offsets.insert(each.field.offset);
    }
  }

  void add_voted() {
    for (const auto& [variable, offset] : votes_) {
      auto& current = candidates_[variable];
      if (current.offsets.contains(offset) || !is_free(offset, current.field.bytes)) continue;
      // Only a part of the field is moved: an object that is passed in registers.
      current.offsets.insert(offset);
      add_variable(current, offset);
    }
  }

  void add_variable(const candidate& candidate, std::uint64_t offset) {
    scoped_variable found{
        .field = candidate.field, .scope = candidate.scope, .scope_bytes = 0, .inlined = candidate.inlined};
    found.field.offset = offset;
    for (const auto& range : candidate.scope) found.scope_bytes += range.end - range.begin;
    variables_.push_back(std::move(found));
  }

  void find_slots() {
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const auto& field = fields_[i];
      if (field.kind != field_kind::unnamed || field.bytes == 0) continue;
      const bool array = field.type.contains("UnknownType[");
      const std::string_view stem = array ? array_stem : stem_of_field(field.type);
      if (!stem.empty()) slots_.push_back({.field = i, .type_stem = std::string(stem), .uses = {}});
    }
    if (slots_.empty()) return;
    for (const auto& function : source_.functions) {
      if (!function.frame_known || function.flow == nullptr) continue;
      for_each_frame_access(function, [&](std::size_t i, const memory_access&, std::int64_t offset) {
        if (std::cmp_greater_equal(offset, frame_head_bytes)) {
          add_use(function, function.flow->instructions()[i].address, static_cast<std::uint64_t>(offset));
        }
      });
    }
  }

  void add_use(const frame_function& function, std::uint64_t address, std::uint64_t offset) {
    for (auto& each : slots_) {
      const auto& field = fields_[each.field];
      if (offset < field.offset || offset >= field.offset + field.bytes) continue;
      if (each.uses.empty() || each.uses.back().first != address) {
        each.uses.emplace_back(address, line_of(unit_, function, address));
      }
    }
  }

  struct match {
    std::uint32_t distance = 0;  ///< lines from the declaration to the first use
    std::size_t variable = 0;
    std::size_t slot = 0;
  };

  [[nodiscard]] bool may_be(const candidate& variable, const slot& place) const {
    const auto& field = fields_[place.field];
    const bool array = place.type_stem == array_stem;
    // If another unit describes the class, only its name is known here.
    const bool size_fits = variable.field.bytes == field.bytes || (variable.field.bytes == 0 && !array);
    if (variable.inlined || !size_fits) return false;
    if (array != (variable.type_stem == array_stem)) return false;
    if (!array && !same_stem(place.type_stem, variable.type_stem)) return false;
    return std::ranges::all_of(variable.offsets, [&](std::uint64_t offset) {
      return offset >= field.offset && offset < field.offset + field.bytes;
    });
  }

  void match_types() {
    std::vector<match> matches;
    for (std::size_t v = 0; v < candidates_.size(); ++v) {
      const auto& each = candidates_[v];
      for (std::size_t s = 0; s < slots_.size(); ++s) {
        if (!may_be(each, slots_[s])) continue;
        if (const auto distance = distance_to(each, slots_[s])) matches.push_back({*distance, v, s});
      }
    }
    std::ranges::sort(matches, {}, [&](const match& each) {
      return std::tuple(each.distance, candidates_[each.variable].field.declared.line, each.slot, each.variable);
    });
    std::set<std::size_t> done;
    std::map<std::size_t, std::vector<std::size_t>> in_slot;
    for (const auto& each : matches) {
      if (done.contains(each.variable)) continue;
      auto& others = in_slot[each.slot];
      const bool taken = std::ranges::any_of(others, [&](std::size_t other) {
        return overlap(candidates_[other].scope, candidates_[each.variable].scope);
      });
      if (taken) continue;
      done.insert(each.variable);
      others.push_back(each.variable);
      drop_parts(candidates_[each.variable]);
      const auto& field = fields_[slots_[each.slot].field];
      candidates_[each.variable].field.bytes = field.bytes;
      add_variable(candidates_[each.variable], field.offset);
    }
  }

  /// The whole object is known now.
  void drop_parts(const candidate& whole) {
    std::erase_if(variables_, [&](const scoped_variable& part) {
      return part.field.name == whole.field.name && part.field.declared == whole.field.declared && !part.inlined &&
             part.field.bytes < whole.field.bytes;
    });
  }

  static bool overlap(const std::vector<code_range>& a, const std::vector<code_range>& b) {
    return std::ranges::any_of(a, [&](const code_range& range) {
      return std::ranges::any_of(
          b, [&](const code_range& other) { return range.begin < other.end && other.begin < range.end; });
    });
  }

  /// How many lines after its declaration the variable's first use of the place is, if there is one in its scope.
  static std::optional<std::uint32_t> distance_to(const candidate& variable, const slot& place) {
    std::optional<std::uint32_t> least;
    const auto& declared = variable.field.declared;
    for (const auto& [address, where] : place.uses) {
      if (where.line < declared.line || where.file != declared.file) continue;
      const bool in_scope = std::ranges::any_of(
          variable.scope, [&](const code_range& range) { return address >= range.begin && address < range.end; });
      if (in_scope && (!least || where.line - declared.line < *least)) least = where.line - declared.line;
    }
    return least;
  }

  /// A class without a variable belongs to a temporary: an awaiter, an argument, the awaited task.
  void name_the_rest() {
    for (auto& field : fields_) {
      if (field.kind != field_kind::unnamed) continue;
      const auto stem = stem_of_field(field.type);
      if (stem.empty()) {
        field.type = std::string(without_frame_scope(field.type));
        continue;
      }
      field.type = readable_stem(stem);
      field.name = "(" + field.type + ")";
      field.kind = field_kind::awaiter;
    }
  }

  const unit_context& unit_;
  const frame_source& source_;
  std::vector<scoped_variable> variables_;
  std::vector<frame_field> fields_;
  std::vector<candidate> candidates_;
  std::map<std::tuple<std::string, std::uint32_t, std::string, bool>, std::size_t> numbers_;
  std::vector<register_range> ranges_;  ///< of the function that is looked at
  std::set<std::pair<std::size_t, std::uint64_t>> votes_;
  std::vector<slot> slots_;
};

}  // namespace

named_slots name_slots(const unit_context& unit, const frame_source& source, std::vector<scoped_variable> variables,
                       std::vector<frame_field> fields) {
  return slot_namer(unit, source, std::move(variables), std::move(fields)).run();
}

}  // namespace tare::inspect
