#include "inspect/live/frame_viewer.hpp"

#include "inspect/coroutine/read.hpp"
#include "inspect/dwarf/value_text.hpp"
#include "inspect/live/group.hpp"
#include "inspect/object/image_file.hpp"

#include <algorithm>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t max_view = std::uint64_t{1} << 20U;

/// A field to show, and where its type is described.
struct shown_field {
  field_value value;
  std::uint64_t type_entry = 0;
};

/// The variables in use at the frame's await; all of them if the await is not known.
std::vector<shown_field> fields_at(const coroutine& coroutine, std::uint32_t index) {
  const auto* const found = coroutine.await_with(index);
  std::vector<shown_field> shown;
  if (found == nullptr) {
    for (const auto& field : coroutine.fields) {
      if (field.kind == field_kind::padding) continue;
      shown.push_back({.value = {.name = field.name,
                                 .type = field.type,
                                 .offset = field.offset,
                                 .bytes = field.bytes,
                                 .kind = field.kind,
                                 .value = {}},
                       .type_entry = field.type_entry});
    }
    return shown;
  }
  for (const auto& variable : found->variables) {
    if (variable.kind == field_kind::padding) continue;
    // A variable that is partly alive is listed once, as a whole.
    const auto whole = std::ranges::find_if(shown, [&](const shown_field& other) {
      return other.value.name == variable.name && other.value.type == variable.type &&
             other.value.offset + other.value.bytes > variable.offset;
    });
    if (whole != shown.end()) {
      whole->value.state = std::min(whole->value.state, variable.state);
      continue;
    }
    shown_field made{.value = {.name = variable.name,
                               .type = variable.type,
                               .offset = variable.offset,
                               .bytes = variable.bytes,
                               .kind = variable.kind,
                               .state = variable.state,
                               .value = {}}};
    // The variable may be only a part of the field, whose rest belongs to another variable.
    const auto field = std::ranges::find_if(coroutine.fields, [&](const frame_field& other) {
      return other.name == variable.name && other.type == variable.type && other.offset == variable.offset;
    });
    if (field != coroutine.fields.end()) {
      made.type_entry = field->type_entry;
      made.value.bytes = field->bytes;
    }
    shown.push_back(std::move(made));
  }
  return shown;
}

}  // namespace

frame_view view_frame(const address_space& memory, const found_frame& frame, std::span<const coroutine> coroutines,
                      const std::filesystem::path& binary, const std::vector<std::filesystem::path>& debug_folders) {
  const coroutine& known = coroutines[frame.coroutine];
  const live_site site = site_of(frame, coroutines);
  frame_view view{.address = frame.address,
                  .function = site.function,
                  .where = site.where,
                  .kind = site.kind,
                  .frame_bytes = known.frame_bytes.value_or(0),
                  .allocated_bytes = frame.bytes,
                  .waiter_function = {},
                  .fields = {}};
  const auto report = read_coroutines(binary, {.debug_folders = debug_folders, .only = {known.resume_address}});
  const coroutine* subject = &known;
  if (report) {
    const auto same = std::ranges::find(report->coroutines, known.linkage_name, &coroutine::linkage_name);
    if (same != report->coroutines.end()) subject = &*same;
  }
  auto shown = fields_at(*subject, frame.index);
  std::vector<std::byte> bytes(std::min(view.frame_bytes, max_view));
  bytes.resize(memory.read(frame.address, bytes));
  const auto read_values = [&](image& file) {
    if (!file.has_debug_information()) file.find_debug_file(debug_folders);
    if (!file.has_debug_information()) return;
    for (auto& each : shown) {
      auto& value = each.value;
      if (value.state == byte_state::dead || value.offset >= bytes.size()) continue;
      const auto part = std::span(bytes).subspan(value.offset);
      value.value = value_text(file.entry_at(each.type_entry),
                               part.first(std::min<std::uint64_t>(value.bytes, part.size())), memory);
    }
  };
  if (auto file = image_file::open(binary); file) (void)file->for_each(read_values, [](const std::string&) {});
  for (auto& each : shown) view.fields.push_back(std::move(each.value));
  return view;
}

}  // namespace tare::inspect
