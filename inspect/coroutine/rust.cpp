#include "inspect/coroutine/rust.hpp"

#include "inspect/coroutine/layout.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <llvm/DebugInfo/DWARF/DWARFUnit.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_set>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

constexpr std::uint64_t max_frame = std::uint64_t{1} << 30;

/// "server::serve::{async_fn_env#0}<T>" is shown as "server::serve<T>", a block as "server::serve::{async block}".
std::string readable(std::string name) {
  const auto cut = [&](std::string_view head, std::string_view instead) {
    const auto found = name.find(head);
    if (found == std::string::npos) return false;
    const auto end = name.find('}', found);
    if (end == std::string::npos) return false;
    name.replace(found, end + 1 - found, instead);
    return true;
  };
  while (cut("::{async_fn_env#", "") || cut("{async_block_env#", "{async block}") ||
         cut("{async_closure_env#", "{async closure}")) {
  }
  return name;
}

frame_field field_of(const llvm::DWARFDie& member) {
  const auto type = type_of(member);
  frame_field field{.name = std::string(short_name(member)),
                    .type = type_text(type),
                    .offset = member_offset(member).value_or(0),
                    .bytes = type_bytes(type),
                    .kind = field_kind::local,
                    .declared = declaration(member),
                    .type_entry = entry_of(type)};
  if (field.name == "__awaitee") {
    const bool child = is_async_environment(short_name(type));
    field.kind = child ? field_kind::child : field_kind::awaiter;
    field.name = "(awaited)";
  } else if (field.name == "__state") {
    field.kind = field_kind::abi;
  }
  return field;
}

/// The locals that a state holds. rustc lists captured values twice.
std::vector<frame_field> fields_of(const llvm::DWARFDie& state, std::uint64_t frame_bytes) {
  std::vector<frame_field> fields;
  for (const auto& member : state.children()) {
    if (member.getTag() != dwarf::DW_TAG_member) continue;
    auto field = field_of(member);
    if (field.bytes == 0 || field.offset > frame_bytes || field.bytes > frame_bytes - field.offset) continue;
    const auto same = [&](const frame_field& each) { return each.offset == field.offset && each.bytes == field.bytes; };
    if (std::ranges::none_of(fields, same)) fields.push_back(std::move(field));
  }
  std::ranges::sort(fields, [](const auto& a, const auto& b) {
    return std::tie(a.offset, b.bytes, a.name) < std::tie(b.offset, a.bytes, b.name);
  });
  return fields;
}

/// rustc's layout is exact: the fields of a state are alive, the rest of the frame is not.
await_point describe(const std::vector<frame_field>& fields, std::uint64_t frame_bytes) {
  await_point point;
  point.known_by = evidence::compiler;
  std::uint64_t covered_to = 0;
  const auto add = [&](const frame_field* field, std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    variable_at_await variable{
        .name = {}, .type = {}, .offset = begin, .bytes = end - begin, .state = byte_state::dead};
    variable.kind = field_kind::padding;
    if (field != nullptr) {
      variable.name = field->name;
      variable.type = field->type;
      variable.kind = field->kind;
      variable.declared = field->declared;
      variable.state = byte_state::live;
      point.live_bytes += variable.bytes;
    } else {
      point.dead_bytes += variable.bytes;
    }
    point.variables.push_back(std::move(variable));
    covered_to = end;
  };
  for (const auto& field : fields) {
    add(nullptr, covered_to, field.offset);
    add(&field, std::max(field.offset, covered_to), field.offset + field.bytes);
  }
  add(nullptr, covered_to, frame_bytes);
  return point;
}

coroutine read_environment(const unit_context& unit, const llvm::DWARFDie& type) {
  coroutine made;
  made.made_by = producer::rustc;
  made.allocated_by = allocation::inside;
  made.linkage_name = type_text(type);
  made.name = readable(made.linkage_name);
  made.image = unit.file.name();
  const std::uint64_t bytes = type_bytes(type);
  if (bytes > max_frame) return made;
  made.frame_bytes = bytes;
  for (const auto& part : type.children()) {
    if (part.getTag() != dwarf::DW_TAG_variant_part) continue;
    std::optional<frame_field> state;
    for (const auto& child : part.children()) {
      if (child.getTag() == dwarf::DW_TAG_member) {
        state = field_of(child);
        state->kind = field_kind::abi;
        made.index_offset = state->offset;
        made.index_bytes = static_cast<std::uint32_t>(state->bytes);
        made.abi_bytes = state->bytes;
        made.fields.push_back(*state);
      }
      if (child.getTag() != dwarf::DW_TAG_variant) continue;
      const auto value = dwarf::toUnsigned(child.find(dwarf::DW_AT_discr_value));
      for (const auto& member : child.children()) {
        if (member.getTag() != dwarf::DW_TAG_member) continue;
        const auto layout = type_of(member);
        const std::string_view name = short_name(layout);
        if (name == "Unresumed") made.declared = declaration(member);
        auto fields = fields_of(layout, bytes);
        if (name == "Unresumed") {
          for (auto& field : fields) field.kind = field_kind::parameter;
        }
        for (const auto& field : fields) {
          const auto same = [&](const frame_field& other) {
            return other.offset == field.offset && other.name == field.name && other.bytes == field.bytes;
          };
          if (std::ranges::none_of(made.fields, same)) made.fields.push_back(field);
        }
        const bool suspended = name.starts_with("Suspend");
        if (!suspended && name != "Unresumed") continue;
        if (state) {
          fields.push_back(*state);
          std::ranges::sort(fields, {}, &frame_field::offset);
        }
        await_point point = describe(fields, bytes);
        point.kind = suspended ? suspension::await : suspension::initial;
        point.index = value.value_or(0);
        point.where = declaration(member);
        for (const auto& field : layout.children()) {
          if (short_name(field) != "__awaitee") continue;
          const auto awaited = type_of(field);
          if (is_async_environment(short_name(awaited))) point.children.push_back(type_text(awaited));
        }
        made.awaits.push_back(std::move(point));
      }
    }
  }
  std::ranges::sort(made.fields, [](const auto& a, const auto& b) {
    return std::tie(a.offset, b.bytes, a.name) < std::tie(b.offset, a.bytes, b.name);
  });
  std::ranges::sort(made.awaits, {}, &await_point::index);
  made.padding_bytes = uncovered_bytes(made.fields, bytes);
  return made;
}

}  // namespace

bool is_async_environment(std::string_view name) {
  for (const std::string_view head : {"{async_fn_env#", "{async_block_env#", "{async_closure_env#"}) {
    if (name.starts_with(head)) return true;
  }
  return false;
}

std::vector<coroutine> find_rust_coroutines(const unit_context& unit) {
  std::vector<coroutine> found;
  std::unordered_set<std::string> seen;
  for (const auto& entry : unit.unit.dies()) {
    if (entry.getTag() != dwarf::DW_TAG_structure_type) continue;
    const llvm::DWARFDie type(&unit.unit, &entry);
    if (!is_async_environment(short_name(type)) || !type.find(dwarf::DW_AT_byte_size)) continue;
    auto made = read_environment(unit, type);
    if (made.frame_bytes && seen.insert(made.linkage_name).second) found.push_back(std::move(made));
  }
  return found;
}

}  // namespace tare::inspect
