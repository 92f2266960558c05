#include "cli/frame_report.hpp"

#include "cli/figures.hpp"
#include "cli/frames_report.hpp"
#include "cli/live_report.hpp"
#include "cli/short_name.hpp"
#include "cli/table.hpp"
#include "cli/text_width.hpp"

#include <fmt/format.h>

namespace tare::cli {

std::string list_text(const std::vector<inspect::listed_frame>& frames) {
  table rows({"frame", "suspended in", "at", "bytes"}, 3);
  for (const auto& each : frames) {
    rows.add({fmt::format("{:#x}", each.address), short_name(each.function), place_text(each.where, each.kind),
              each.bytes == 0 ? "?" : with_commas(each.bytes)});
  }
  return rows.text(screen_width());
}

std::string frame_text(const inspect::frame_view& view) {
  std::string text = fmt::format("frame {:#x} of {}\n", view.address, view.function);
  text += "suspended at " + place_text(view.where, view.kind);
  if (view.frame_bytes != 0) text += fmt::format(", {} bytes", with_commas(view.frame_bytes));
  if (view.allocated_bytes != 0 && view.allocated_bytes != view.frame_bytes) {
    text += fmt::format(" ({} with the allocator's rounding)", with_commas(view.allocated_bytes));
  }
  text += "\n";
  if (view.waiter != 0) text += fmt::format("awaited by frame {:#x} of {}\n", view.waiter, view.waiter_function);
  if (view.fields.empty()) return text + "\nits content is not known: build with -g\n";
  table rows({"", "at", "bytes", "for", "name", "value"}, 6);
  for (const auto& field : view.fields) {
    std::string name = field.name;
    if (!field.type.empty() && field.name != "(" + field.type + ")") name += ": " + field.type;
    rows.add({std::string(name_of(field.state)), fmt::format("{}", field.offset), fmt::format("{}", field.bytes),
              std::string(name_of(field.kind)), short_name(name, 80), field.value});
  }
  return text + "\n" + rows.text(screen_width());
}

}  // namespace tare::cli
