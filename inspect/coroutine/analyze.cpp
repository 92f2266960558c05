#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/code_line.hpp"
#include "inspect/coroutine/compiler_view.hpp"
#include "inspect/coroutine/frame_access.hpp"
#include "inspect/coroutine/frame_source.hpp"
#include "inspect/coroutine/layout.hpp"
#include "inspect/coroutine/liveness.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/requested_bytes.hpp"
#include "inspect/coroutine/slot_names.hpp"
#include "inspect/coroutine/variables.hpp"
#include "inspect/dwarf/address_ranges.hpp"
#include "inspect/dwarf/location.hpp"
#include "inspect/dwarf/member_order.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <tare/abi/frame_budget.hpp>

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

void follow_code(unit_context& unit, frame_source& source) {
  std::map<std::uint64_t, std::shared_ptr<function_flow>> known;
  for (auto& function : source.functions) {
    auto& flow = known[function.ranges.front().begin];
    if (!flow) flow = std::make_shared<function_flow>(unit.file, unit.decoder, unit.pads, function.ranges);
    function.flow = flow;
  }
}

/// In a ramp the frame is the value that the allocator returned. The debug information names the register, or the code
/// stores the address of the resume function into the frame's first word.
void find_frame_in_ramp(frame_function& ramp, const frame_source& source) {
  for (const auto& child : ramp.die.children()) {
    if (child.getTag() != dwarf::DW_TAG_variable || short_name(child) != "__coro_frame") continue;
    auto locations = child.getLocations(dwarf::DW_AT_location);
    if (!locations) {
      llvm::consumeError(locations.takeError());
      break;
    }
    std::map<std::pair<origin, std::int64_t>, std::uint64_t> votes;
    for (const auto& location : *locations) {
      const auto& range = location.Range;
      if (!range) continue;
      const std::uint64_t weight = range->HighPC - range->LowPC;
      const machine_state* state = ramp.flow->state_at(range->LowPC);
      if (state == nullptr) continue;
      for (const auto& piece : locate(location.Expr, *state, frame_base_of(ramp.die, *state), 8)) {
        if (piece.address.is_constant() || piece.address.base == stack_origin) continue;
        votes[{piece.address.base, piece.address.offset}] += weight;
      }
    }
    const auto best = std::ranges::max_element(votes, {}, [](const auto& one) { return one.second; });
    if (best != votes.end()) {
      ramp.frame = value::of(best->first.first, best->first.second);
      ramp.frame_known = true;
    }
  }
  for (const auto& body : source.functions) {
    if (body.role != function_role::resume || body.ranges.empty()) continue;
    const std::uint64_t resume = body.ranges.front().begin;
    const auto is_resume = [resume](const constant& one) { return one.value == resume; };
    bool found = false;
    for_each_access(ramp, [&](std::size_t, const memory_access& access) {
      if (found || access.what != memory_access::kind::write || access.bytes != 8 || access.base == stack_origin ||
          std::ranges::none_of(access.written, is_resume)) {
        return;
      }
      ramp.frame = value::of(access.base, access.offset);
      ramp.frame_known = found = true;
    });
    if (found) return;
  }
}

void find_frames(frame_source& source) {
  for (auto& function : source.functions) {
    if (function.role == function_role::ramp) {
      find_frame_in_ramp(function, source);
    } else {
      function.frame = value::of(first_argument_origin);
      function.frame_known = true;
    }
  }
}

void add_child(std::string_view name, const source_line& where, std::vector<found_await>& awaits) {
  if (where.line == 0) return;
  for (auto& await : awaits) {
    if (await.point.kind != suspension::await || await.point.where != where) continue;
    auto& children = await.point.children;
    if (std::ranges::find(children, name) == children.end()) children.emplace_back(name);
  }
}

/// Whether the frame of a coroutine was merged into this one: then its second word is the address of the function that
/// destroys without freeing.
bool is_merged(const unit_context& unit, const frame_function& function, std::string_view child) {
  bool merged = false;
  for_each_access(function, [&](std::size_t, const memory_access& access) {
    if (merged || access.what != memory_access::kind::write || access.bytes != 8) return;
    merged = std::ranges::any_of(access.written, [&](const constant& one) {
      const auto part = part_symbol_of(unit.file.name_at(one.value));
      return part && part->role == function_role::cleanup && part->coroutine == child;
    });
  });
  return merged;
}

/// Coroutines whose beginning was inlined here, with the line of the call in this coroutine.
void find_inlined_children(const unit_context& unit, const frame_function& function, const llvm::DWARFDie& block,
                           const source_line& from, std::vector<found_await>& awaits, int depth = 0) {
  constexpr int deepest = 64;
  if (depth > deepest) return;
  for (const auto& child : block.children()) {
    const auto tag = child.getTag();
    if (tag == dwarf::DW_TAG_lexical_block) {
      find_inlined_children(unit, function, child, from, awaits, depth + 1);
    }
    if (tag != dwarf::DW_TAG_inlined_subroutine) continue;
    source_line where = from;
    if (where.line == 0) {
      std::uint32_t file = 0;
      std::uint32_t column = 0;
      std::uint32_t discriminator = 0;
      child.getCallerFrame(file, where.line, column, discriminator);
      where.file = unit.lines.file(file);
    }
    const auto callee = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    const auto name = coroutine_of(callee);
    if (name.empty()) {
      find_inlined_children(unit, function, child, where, awaits, depth + 1);
    } else if (without_clone_suffixes(linkage_name(callee)) == name && !is_merged(unit, function, name)) {
      add_child(name, where, awaits);
    }
  }
}

/// The coroutines that are called on the line of an await: these are awaited there.
void find_children(const unit_context& unit, const frame_source& source, std::vector<found_await>& awaits) {
  for (const auto& function : source.functions) {
    if (function.flow == nullptr || (function.role != function_role::ramp && function.role != function_role::resume)) {
      continue;
    }
    for (const auto& call : function.flow->calls()) {
      const std::string_view name = without_clone_suffixes(unit.file.name_at(call.target));
      if (name.empty() || name == source.linkage_name) continue;
      add_child(name, line_of(unit, function, call.instruction), awaits);
    }
    find_inlined_children(unit, function, function.die, {}, awaits);
  }
}

/// The coroutines that were inlined at an address, or directly before it: a mark takes no space, so it may be at the
/// end of its code.
void find_inlined(const llvm::DWARFDie& block, std::uint64_t address, std::vector<llvm::DWARFDie>& into,
                  int depth = 0) {
  constexpr int deepest = 256;
  if (depth > deepest) return;
  for (const auto& child : block.children()) {
    const auto tag = child.getTag();
    if (tag != dwarf::DW_TAG_inlined_subroutine && tag != dwarf::DW_TAG_lexical_block) continue;
    const bool here = std::ranges::any_of(
        address_ranges(child), [&](const auto& one) { return address >= one.LowPC && address <= one.HighPC; });
    if (!here) continue;
    if (tag == dwarf::DW_TAG_inlined_subroutine) {
      const auto callee = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
      if (!coroutine_of(callee).empty()) into.push_back(callee);
    }
    find_inlined(child, address, into, depth + 1);
  }
}

/// Whether the mark is in this coroutine's own body and not in that of an inlined one: it belongs to the coroutine in
/// its file whose declaration is the nearest above it.
bool is_own_mark(const frame_function& function, const budget_mark& mark, const coroutine& of) {
  const auto distance = [&](const source_line& begins) -> std::uint32_t {
    const bool same = begins.line != 0 && begins.line <= mark.line && abi::file_mark(begins.file.c_str()) == mark.file;
    return same ? mark.line - begins.line : ~std::uint32_t{0};
  };
  const std::uint32_t own = distance(of.declared);
  if (own == ~std::uint32_t{0}) return false;
  std::vector<llvm::DWARFDie> others;
  find_inlined(function.die, mark.address, others);
  return std::ranges::all_of(others, [&](const llvm::DWARFDie& other) {
    return coroutine_of(other) == of.linkage_name || distance(declaration(other)) > own;
  });
}

/// Finds the TARE_FRAME_BUDGET in the body.
void find_budget(const unit_context& unit, const frame_source& source, coroutine& into) {
  for (auto& mark : unit.budgets) {
    for (const auto& function : source.functions) {
      const bool inside = std::ranges::any_of(function.ranges, [&](const code_range& range) {
        return mark.address >= range.begin && mark.address <= range.end;
      });
      if (!inside || !is_own_mark(function, mark, into)) continue;
      into.declared_budget = mark.bytes;
      mark.holds = true;
    }
  }
}

/// Names the frame's fields after the variables in them.
void name_fields(const std::vector<scoped_variable>& variables, coroutine& into) {
  if (into.made_by == producer::gcc) {
    for (auto& field : into.fields) {
      const auto same = std::ranges::find_if(variables, [&](const scoped_variable& one) {
        return one.field.offset == field.offset && one.field.name == field.name;
      });
      if (same != variables.end()) field.declared = same->field.declared;
    }
    return;
  }
  for (const auto& variable : variables) {
    if (variable.inlined) continue;
    const auto covered = std::ranges::any_of(into.fields, [&](const frame_field& field) {
      return (field.kind == field_kind::abi || field.kind == field_kind::promise) &&
             variable.field.offset >= field.offset && variable.field.offset < field.offset + field.bytes;
    });
    if (covered) continue;
    // A variable replaces a field without a name at exactly the same place.
    std::erase_if(into.fields, [&](const frame_field& field) {
      return (field.kind == field_kind::unnamed || field.kind == field_kind::awaiter) &&
             field.offset == variable.field.offset && field.bytes == variable.field.bytes;
    });
    into.fields.push_back(variable.field);
  }
  std::ranges::sort(into.fields, [](const frame_field& a, const frame_field& b) {
    return std::tie(a.offset, b.bytes, a.name) < std::tie(b.offset, a.bytes, b.name);
  });
}

/// g++ describes the copies of parameters as variables: the order of the frame's fields shows which these are.
void mark_parameters(const coroutine& of, std::vector<scoped_variable>& variables) {
  for (auto& one : variables) {
    const bool is_copy = std::ranges::any_of(of.fields, [&](const frame_field& field) {
      return field.kind == field_kind::parameter && field.offset == one.field.offset && field.name == one.field.name;
    });
    if (is_copy && one.field.kind == field_kind::local) one.field.kind = field_kind::parameter;
  }
}

/// libstdc++ rounds the size up to the requested alignment.
void align_allocation(const unit_context& unit, const frame_source& source, coroutine& into) {
  if (into.allocated_by != allocation::malloc || !into.frame_bytes) return;
  for (const auto& function : source.functions) {
    if (function.role != function_role::ramp) continue;
    const auto alignment = requested_alignment(unit.file, *function.flow);
    if (alignment) into.allocated_bytes = malloc_bytes((*into.frame_bytes + *alignment - 1) / *alignment * *alignment);
  }
}

/// Whether it shares its place with no other variable.
bool is_alone(const frame_field& field, const std::vector<frame_field>& fields) {
  return std::ranges::all_of(fields, [&](const frame_field& other) {
    const bool apart = other.offset + other.bytes <= field.offset || field.offset + field.bytes <= other.offset;
    return apart || (other.offset == field.offset && other.bytes == field.bytes && other.name == field.name);
  });
}

/// Finds variables of the program's own classes, whose members can be reordered.
void find_loose_variables(const unit_context& unit, coroutine& into) {
  constexpr std::uint64_t step = 8;  // sizes of frames are multiples of it
  for (const auto& field : into.fields) {
    if (field.kind != field_kind::local && field.kind != field_kind::parameter) continue;
    const auto type = unit.file.entry_at(field.type_entry);
    if (!type.isValid() || type_bytes(type) != field.bytes || !is_alone(field, into.fields)) continue;
    // A variable may be described more than once.
    if (std::ranges::find(into.loose, field.name, &loose_variable::name) != into.loose.end()) continue;
    const std::uint64_t saved = bytes_saved_by_order(type) / step * step;
    if (saved == 0) continue;
    const auto its_class = class_of(type);
    const auto declared = declaration(its_class);
    if (declared.line == 0 || declared.file.starts_with("/usr/") || short_name(its_class).empty()) continue;
    into.loose.push_back(
        {.name = field.name, .type = without_noise(type_text(its_class)), .type_declared = declared, .bytes = saved});
  }
}

/// g++ does not record the place of lambdas and of coroutines whose ramp was inlined, but it declares the promise
/// there.
source_line declaration_of_promise(const llvm::DWARFDie& actor) {
  const auto abstract = actor.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
  for (const auto& function : {actor, abstract}) {
    if (!function.isValid()) continue;
    for (const auto& child : function.children()) {
      if (child.getTag() == dwarf::DW_TAG_variable && short_name(child) == "_Coro_promise") return declaration(child);
    }
  }
  return {};
}

source_line declaration_of(const frame_source& source) {
  for (const auto role : {function_role::ramp, function_role::resume, function_role::destroy}) {
    for (const auto& function : source.functions) {
      if (function.role != role) continue;
      if (const auto declared = declaration(function.die); declared.line != 0) return declared;
    }
  }
  for (const auto& function : source.functions) {
    if (source.made_by != producer::gcc || function.role != function_role::resume) continue;
    if (const auto declared = declaration_of_promise(function.die); declared.line != 0) return declared;
  }
  return {};
}

}  // namespace

coroutine analyze(unit_context& unit, frame_source& source) {
  coroutine one;
  one.linkage_name = source.linkage_name;
  one.name = readable_function(source.linkage_name);
  one.made_by = source.made_by;
  one.image = unit.file.name();
  one.declared = declaration_of(source);
  for (const auto& function : source.functions) {
    const std::uint64_t address = function.ranges.front().begin;
    if (function.role == function_role::resume) one.resume_address = address;
    if (function.role == function_role::destroy) one.destroy_address = address;
    if (function.role == function_role::cleanup) one.cleanup_address = address;
  }
  read_layout(unit, source, one);
  const compiler_record* recorded = source.made_by == producer::clang ? unit.records.of(one) : nullptr;
  find_budget(unit, source, one);
  if (!one.frame_bytes || !unit.code || !unit.file.is_x86_64()) return one;

  follow_code(unit, source);
  align_allocation(unit, source, one);
  find_frames(source);
  auto variables = find_variables(source, *one.frame_bytes);
  if (source.made_by == producer::gcc) mark_parameters(one, variables);
  if (recorded != nullptr) add_recorded_variables(*recorded, source, one, variables);
  if (source.made_by == producer::clang) name_slots(unit, source, variables, one);
  name_fields(variables, one);
  auto awaits = find_awaits(unit, source, one, recorded);
  if (unit.liveness) {
    find_liveness(source, variables, awaits, one);
    if (recorded != nullptr) apply_recorded_states(*recorded, variables, awaits);
  } else {
    assume_whole_frame(awaits, one);
  }
  find_children(unit, source, awaits);
  one.padding_bytes = uncovered_bytes(one.fields, *one.frame_bytes);
  find_loose_variables(unit, one);
  for (auto& await : awaits) one.awaits.push_back(std::move(await.point));
  return one;
}

}  // namespace tare::inspect
