#include "inspect/coroutine/field_names.hpp"

#include <algorithm>
#include <tuple>

namespace tare::inspect {
namespace {

/// g++ names its fields itself.
std::vector<frame_field> with_declarations(std::vector<frame_field> fields,
                                           const std::vector<scoped_variable>& variables) {
  for (auto& field : fields) {
    const auto same = std::ranges::find_if(variables, [&](const scoped_variable& variable) {
      return variable.field.offset == field.offset && variable.field.name == field.name;
    });
    if (same != variables.end()) field.declared = same->field.declared;
  }
  return fields;
}

}  // namespace

std::vector<scoped_variable> with_gcc_parameters(std::vector<scoped_variable> variables,
                                                 const std::vector<frame_field>& fields) {
  for (auto& each : variables) {
    const bool is_copy = std::ranges::any_of(fields, [&](const frame_field& field) {
      return field.kind == field_kind::parameter && field.offset == each.field.offset && field.name == each.field.name;
    });
    if (is_copy && each.field.kind == field_kind::local) each.field.kind = field_kind::parameter;
  }
  return variables;
}

std::vector<frame_field> named_fields(std::vector<frame_field> fields, producer made_by,
                                      const std::vector<scoped_variable>& variables) {
  if (made_by == producer::gcc) return with_declarations(std::move(fields), variables);
  for (const auto& variable : variables) {
    if (variable.inlined) continue;
    const auto covered = std::ranges::any_of(fields, [&](const frame_field& field) {
      return (field.kind == field_kind::abi || field.kind == field_kind::promise) &&
             variable.field.offset >= field.offset && variable.field.offset < field.offset + field.bytes;
    });
    if (covered) continue;
    // A variable replaces a field without a name at exactly the same place.
    std::erase_if(fields, [&](const frame_field& field) {
      return (field.kind == field_kind::unnamed || field.kind == field_kind::awaiter) &&
             field.offset == variable.field.offset && field.bytes == variable.field.bytes;
    });
    fields.push_back(variable.field);
  }
  std::ranges::sort(fields, [](const frame_field& a, const frame_field& b) {
    return std::tie(a.offset, b.bytes, a.name) < std::tie(b.offset, a.bytes, b.name);
  });
  return fields;
}

}  // namespace tare::inspect
