#include "inspect/coroutine/frame_atoms.hpp"

#include "inspect/coroutine/frame_access.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace tare::inspect {

frame_atoms::frame_atoms(const frame_source& source, const std::vector<scoped_variable>& variables,
                         const coroutine& coroutine)
    : variables_(variables), of_(coroutine), frame_bytes_(coroutine.frame_bytes.value_or(0)) {
  std::set<std::uint64_t> bounds{0, frame_bytes_};
  const auto cut = [&](std::int64_t offset) {
    if (offset > 0 && std::cmp_less(offset, frame_bytes_)) bounds.insert(static_cast<std::uint64_t>(offset));
  };
  const auto cut_field = [&](const frame_field& field) {
    cut(static_cast<std::int64_t>(field.offset));
    cut(static_cast<std::int64_t>(field.offset + field.bytes));
  };
  for (const auto& field : coroutine.fields) cut_field(field);
  for (const auto& variable : variables) cut_field(variable.field);
  for (const auto& function : source.functions) {
    if (!is_followed(function)) continue;
    for_each_frame_access(function, [&](std::size_t, const memory_access& access, std::int64_t offset) {
      cut(offset);
      if (access.bytes > 0 && access.bytes <= frame_bytes_) cut(offset + static_cast<std::int64_t>(access.bytes));
    });
  }
  for (auto found = bounds.begin(); std::next(found) != bounds.end(); ++found)
    atoms_.push_back({*found, *std::next(found)});
}

unsigned frame_atoms::at(std::uint64_t offset) const {
  const auto after = std::ranges::upper_bound(atoms_, offset, {}, &byte_range::begin);
  return static_cast<unsigned>(std::prev(after) - atoms_.begin());
}

byte_range frame_atoms::object_at(std::uint64_t offset) const {
  byte_range object{offset, offset};
  const auto widen = [&](const frame_field& field) {
    if (field.kind == field_kind::padding || field.offset > offset || field.offset + field.bytes <= offset) return;
    object.begin = std::min(object.begin, field.offset);
    object.end = std::max(object.end, field.offset + field.bytes);
  };
  for (const auto& field : of_.fields) widen(field);
  for (const auto& variable : variables_) widen(variable.field);
  if (object.end != offset) return object;
  // Nothing has a name here: it may extend to the beginning of the next field.
  object.end = frame_bytes_;
  for (const auto& field : of_.fields) {
    if (field.kind != field_kind::padding && field.offset > offset) object.end = std::min(object.end, field.offset);
  }
  return object;
}

byte_range frame_atoms::indexed_from(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset < frame_head_bytes) return {0, frame_bytes_};
  constexpr std::uint64_t max_element_bytes = 32;
  auto [begin, end] = object_at(offset);
  const std::uint64_t lowest = std::max(frame_head_bytes, offset - std::min(offset, max_element_bytes));
  while (begin > lowest) begin = std::min(begin - 1, object_at(begin - 1).begin);
  const std::uint64_t highest = std::min(frame_bytes_, offset + bytes + std::max(bytes, max_element_bytes));
  while (end < highest) end = object_at(end).end;
  return {begin, end};
}

}  // namespace tare::inspect
