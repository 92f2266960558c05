#include "inspect/coroutine/frame_entries.hpp"

#include <utility>

namespace tare::inspect {
namespace {

using known_words = std::vector<function_flow::known_word>;

/// The address of the resume function; never 0.
std::uint64_t resume_address(const frame_source& source) {
  for (const auto& function : source.functions) {
    if (function.role == function_role::resume && !function.ranges.empty()) return function.ranges.front().begin;
  }
  return 1;
}

known_words with_index(const coroutine& coroutine, known_words words, std::uint64_t index) {
  if (coroutine.index_offset)
    words.push_back({static_cast<std::int64_t>(*coroutine.index_offset), coroutine.index_bytes, index});
  return words;
}

}  // namespace

std::vector<function_flow::entry_point> entries_of(const frame_source& source, const coroutine& coroutine,
                                                   const frame_function& function, const await_point& point) {
  const bool resumes = function.role == function_role::resume;
  const bool is_final = point.kind == suspension::final;
  const auto enter = [&](std::uint64_t index, known_words known = {}) {
    return function.flow->enter(with_index(coroutine, std::move(known), index));
  };
  if (source.made_by == producer::gcc) {
    // Odd numbers destroy.
    if (!resumes) return {};
    if (is_final) return {enter(point.index | 1U)};
    return {enter(point.index), enter(point.index | 1U)};
  }
  if (resumes) {
    if (is_final) return {};
    return {enter(point.index)};
  }
  // At the final suspension the resume pointer is null, which the destroy function checks.
  return {enter(point.index, {{0, 8, is_final ? 0 : resume_address(source)}})};
}

function_flow::entry_point first_entry(const coroutine& coroutine, const frame_function& actor) {
  return actor.flow->enter(with_index(coroutine, {}, 0));
}

}  // namespace tare::inspect
