#include "inspect/coroutine/analyze.hpp"

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/budget_marks.hpp"
#include "inspect/coroutine/children.hpp"
#include "inspect/coroutine/compiler_view.hpp"
#include "inspect/coroutine/field_names.hpp"
#include "inspect/coroutine/followed.hpp"
#include "inspect/coroutine/layout.hpp"
#include "inspect/coroutine/liveness.hpp"
#include "inspect/coroutine/loose_variables.hpp"
#include "inspect/coroutine/readable_name.hpp"
#include "inspect/coroutine/requested_bytes.hpp"
#include "inspect/coroutine/slot_names.hpp"
#include "inspect/coroutine/variables.hpp"

#include <algorithm>
#include <utility>

namespace tare::inspect {
namespace {

/// What is known without its code: its names, its functions and the layout of its frame.
coroutine described(const unit_context& unit, const frame_source& source) {
  coroutine made;
  made.linkage_name = source.linkage_name;
  made.name = readable_function(source.linkage_name);
  made.made_by = source.made_by;
  made.image = unit.file.name();
  made.declared = declaration_of(source);
  for (const auto& function : source.functions) {
    const std::uint64_t address = function.ranges.front().begin;
    if (function.role == function_role::resume) made.resume_address = address;
    if (function.role == function_role::destroy) made.destroy_address = address;
    if (function.role == function_role::cleanup) made.cleanup_address = address;
  }
  frame_layout layout = read_layout(unit, source);
  made.frame_bytes = layout.frame_bytes;
  made.allocated_by = layout.allocated_by;
  made.allocated_bytes = layout.allocated_bytes;
  made.abi_bytes = layout.abi_bytes;
  made.promise_bytes = layout.promise_bytes;
  made.promise_offset = layout.promise_offset;
  made.promise_type = std::move(layout.promise_type);
  made.fields = std::move(layout.fields);
  made.index_offset = layout.index_offset;
  made.index_bytes = layout.index_bytes;
  made.links = std::move(layout.links);
  if (made.frame_bytes) made.padding_bytes = uncovered_bytes(made.fields, *made.frame_bytes);
  return made;
}

/// The bytes that its code requests for the frame. The debug information may describe a larger frame than there is.
std::optional<std::uint64_t> requested_for(const unit_context& unit, const frame_source& source) {
  std::optional<std::uint64_t> least;
  for (const auto& function : source.functions) {
    if (function.role != function_role::ramp) continue;
    const auto requested = requested_bytes(unit.file, *function.flow);
    if (requested) least = std::min(least.value_or(*requested), *requested);
  }
  return least;
}

/// The coroutine with a smaller frame, if its fields fit.
std::optional<coroutine> shrunk_to(std::uint64_t requested, coroutine subject) {
  auto fields = fields_within(requested, std::move(subject.fields));
  if (!fields) return std::nullopt;
  subject.fields = std::move(*fields);
  subject.frame_bytes = requested;
  subject.allocated_bytes = allocated_bytes(subject.allocated_by, requested);
  return subject;
}

/// What it allocates: libstdc++ rounds the size up to the alignment that the ramp requests.
std::optional<std::uint64_t> aligned_bytes(const unit_context& unit, const frame_source& source,
                                           const coroutine& coroutine) {
  std::optional<std::uint64_t> bytes = coroutine.allocated_bytes;
  if (coroutine.allocated_by != allocation::malloc || !coroutine.frame_bytes) return bytes;
  for (const auto& function : source.functions) {
    if (function.role != function_role::ramp) continue;
    const auto alignment = requested_alignment(unit.file, *function.flow);
    if (alignment) bytes = malloc_bytes((*coroutine.frame_bytes + *alignment - 1) / *alignment * *alignment);
  }
  return bytes;
}

/// The variables of the frame, and its fields with their names.
named_slots name_frame(const unit_context& unit, const frame_source& source, const coroutine& coroutine,
                       const compiler_record* recorded) {
  named_slots named{.variables = find_variables(source, coroutine.frame_bytes.value_or(0)), .fields = coroutine.fields};
  if (source.made_by == producer::gcc) {
    named.variables = with_gcc_parameters(std::move(named.variables), named.fields);
  }
  if (recorded != nullptr) {
    named.variables = with_recorded_variables(std::move(named.variables), *recorded, source, named.fields);
  }
  if (source.made_by == producer::clang) {
    named = name_slots(unit, source, std::move(named.variables), std::move(named.fields));
  }
  named.fields = named_fields(std::move(named.fields), source.made_by, named.variables);
  return named;
}

/// The suspension points, with what is alive at each and what is awaited there.
std::vector<found_await> describe_awaits(const unit_context& unit, const frame_source& source,
                                         const coroutine& coroutine, const std::vector<scoped_variable>& variables,
                                         const compiler_record* recorded) {
  auto awaits = find_awaits(unit, source, coroutine, recorded);
  if (!unit.liveness) {
    awaits = with_whole_frame(std::move(awaits), coroutine);
  } else {
    awaits = with_liveness(std::move(awaits), source, variables, coroutine);
    if (recorded != nullptr) awaits = with_recorded_states(std::move(awaits), *recorded, variables);
  }
  return with_children(std::move(awaits), find_called_coroutines(unit, source));
}

}  // namespace

analysis analyze(const unit_context& unit, const frame_source& source) {
  analysis found{.what = described(unit, source), .marks = {}, .is_oversized = false};
  coroutine& coroutine = found.what;
  const compiler_record* recorded = source.made_by == producer::clang ? unit.records.of(coroutine) : nullptr;
  found.marks = find_budgets(unit, source, coroutine.declared);
  if (!found.marks.empty()) coroutine.declared_budget = unit.budgets[found.marks.back()].bytes;
  if (!coroutine.frame_bytes || !unit.code || !unit.file.is_x86_64()) return found;

  const frame_source code = followed(unit, source);
  // A promise's own operator new, inlined, may request more than the frame.
  if (const auto requested = requested_for(unit, code); requested && *requested < *coroutine.frame_bytes) {
    auto shrunk = shrunk_to(*requested, coroutine);
    found.is_oversized = !shrunk;
    if (shrunk) coroutine = std::move(*shrunk);
  }
  coroutine.allocated_bytes = aligned_bytes(unit, code, coroutine);
  auto [variables, fields] = name_frame(unit, code, coroutine, recorded);
  coroutine.fields = std::move(fields);
  for (auto& await : describe_awaits(unit, code, coroutine, variables, recorded)) {
    coroutine.awaits.push_back(std::move(await.point));
  }
  coroutine.padding_bytes = uncovered_bytes(coroutine.fields, coroutine.frame_bytes.value_or(0));
  coroutine.loose = find_loose_variables(unit, coroutine.fields);
  return found;
}

}  // namespace tare::inspect
