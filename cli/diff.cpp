#include "cli/diff.hpp"

#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/frames_report.hpp"
#include "cli/output_file.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/facts/compare.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::cli {
namespace {

using inspect::changed_frame;
using json = nlohmann::ordered_json;

struct diff_options {
  std::string before;
  std::string after;
  std::string json;
};

std::string_view kind_of(const changed_frame& frame) {
  if (frame.before == nullptr) return "appeared";
  if (frame.after == nullptr) return "vanished";
  return frame.difference > 0 ? "grew" : "shrank";
}

std::string frame_text(const inspect::coroutine* coroutine) {
  return coroutine == nullptr ? "-" : coroutine->frame_bytes ? with_commas(*coroutine->frame_bytes) : "?";
}

std::string changes_text(const std::vector<changed_frame>& changes) {
  std::string text;
  for (const std::string_view kind : {"grew", "shrank", "appeared", "vanished"}) {
    bool first = true;
    for (const auto& each : changes) {
      if (kind_of(each) != kind) continue;
      if (first) text += fmt::format("{}{}:\n", text.empty() ? "" : "\n", kind);
      first = false;
      const auto& shown = each.after != nullptr ? *each.after : *each.before;
      if (each.before != nullptr && each.after != nullptr) {
        text += fmt::format("  {:>8}  {} -> {}  {}  {}\n", with_sign(each.difference), frame_text(each.before),
                            frame_text(each.after), shown.name, short_place(shown.declared));
      } else {
        text += fmt::format("  {:>8}  {}  {}\n", frame_text(&shown), shown.name, short_place(shown.declared));
      }
      for (const auto& field : each.fields) {
        const auto source = static_cast<std::int64_t>(field.after) - static_cast<std::int64_t>(field.before);
        text += fmt::format("      {:>8}  {}{}\n", with_sign(source), field.name,
                            field.type.empty() ? std::string() : ": " + field.type);
      }
    }
  }
  return text.empty() ? "no frame changed in size\n" : text;
}

std::string changes_json(const std::vector<changed_frame>& changes) {
  json all{{"schema", 1}, {"changes", json::array()}};
  for (const auto& each : changes) {
    const auto& shown = each.after != nullptr ? *each.after : *each.before;
    const auto bytes = [](const inspect::coroutine* coroutine) {
      return coroutine == nullptr || !coroutine->frame_bytes ? json(nullptr) : json(*coroutine->frame_bytes);
    };
    json change{{"change", kind_of(each)},          {"name", shown.name},          {"linkage_name", shown.linkage_name},
                {"file", shown.declared.file},      {"line", shown.declared.line}, {"before_bytes", bytes(each.before)},
                {"after_bytes", bytes(each.after)}, {"variables", json::array()}};
    for (const auto& field : each.fields) {
      change["variables"].push_back(
          {{"name", field.name}, {"type", field.type}, {"before_bytes", field.before}, {"after_bytes", field.after}});
    }
    all["changes"].push_back(std::move(change));
  }
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

int run(const diff_options& options) {
  auto opened = output_file::open_if_named(options.json);
  if (!opened) return complain(opened.error());
  auto& json_file = *opened;
  std::array<inspect::coroutine_report, 2> reports;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    auto read =
        inspect::read_coroutines(i == 0 ? options.before : options.after, {.debug_folders = {}, .liveness = false});
    if (!read) return complain(read.error());
    for (const auto& note : read->notes) complain("note: " + note);
    reports[i] = std::move(*read);
  }
  const auto changes = inspect::compare(reports[0].coroutines, reports[1].coroutines);
  if (json_file) {
    if (const auto written = json_file->write(changes_json(changes)); !written) return complain(written.error());
  }
  if (!json_file || !json_file->is_standard_output()) {
    auto screen = output_file::standard_output();
    if (const auto written = screen.write(changes_text(changes)); !written) return complain(written.error());
  }
  return finish_output(done);
}

}  // namespace

std::function<int()> add_diff(CLI::App& app) {
  CLI::App* diff = app.add_subcommand("diff", "Show which frames differ between two builds, and by which variables");
  diff->footer(
      "Exit status: 0 when both could be compared, 1 when one could not be read, 2 for wrong options or a\n"
      "file that is not an ELF file.");
  auto options = std::make_shared<diff_options>();
  diff->add_option("old", options->before, "The build before")->required()->type_name("OLD");
  diff->add_option("new", options->after, "The build after")->required()->type_name("NEW");
  diff->add_option("--json", options->json, "Write the changes to this file; - is standard output")->type_name("FILE");
  return [options] { return run(*options); };
}

}  // namespace tare::cli
