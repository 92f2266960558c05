#include "inspect/coroutine/loose_variables.hpp"

#include "inspect/coroutine/readable_name.hpp"
#include "inspect/dwarf/member_order.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <algorithm>

namespace tare::inspect {
namespace {

/// Whether it shares its place with no other variable.
bool is_alone(const frame_field& field, const std::vector<frame_field>& fields) {
  return std::ranges::all_of(fields, [&](const frame_field& other) {
    const bool apart = other.offset + other.bytes <= field.offset || field.offset + field.bytes <= other.offset;
    return apart || (other.offset == field.offset && other.bytes == field.bytes && other.name == field.name);
  });
}

}  // namespace

std::vector<loose_variable> find_loose_variables(const unit_context& unit, const std::vector<frame_field>& fields) {
  std::vector<loose_variable> loose;
  constexpr std::uint64_t step = 8;  // sizes of frames are multiples of it
  for (const auto& field : fields) {
    if (field.kind != field_kind::local && field.kind != field_kind::parameter) continue;
    const auto type = unit.file.entry_at(field.type_entry);
    if (!type.isValid() || type_bytes(type) != field.bytes || !is_alone(field, fields)) continue;
    // A variable may be described more than once.
    if (std::ranges::find(loose, field.name, &loose_variable::name) != loose.end()) continue;
    const std::uint64_t saved = bytes_saved_by_order(type) / step * step;
    if (saved == 0) continue;
    const auto its_class = class_of(type);
    const auto declared = declaration(its_class);
    if (declared.line == 0 || declared.file.starts_with("/usr/") || short_name(its_class).empty()) continue;
    loose.push_back(
        {.name = field.name, .type = without_noise(type_text(its_class)), .type_declared = declared, .bytes = saved});
  }
  return loose;
}

}  // namespace tare::inspect
