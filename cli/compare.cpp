#include "cli/compare.hpp"

#include "base/text_file.hpp"
#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/frames_report.hpp"
#include "cli/live_report.hpp"
#include "cli/output_file.hpp"
#include "cli/short_name.hpp"
#include "cli/table.hpp"
#include "cli/text_width.hpp"
#include "inspect/live/compare.hpp"
#include "inspect/live/snapshot_file.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using inspect::changed_site;
using inspect::live_snapshot;
using json = nlohmann::ordered_json;

struct options {
  std::string before;
  std::string after;
  std::string json;
  std::size_t top = 0;
};

base::result<std::string> read_standard_input() {
  std::string text;
  std::array<char, 65536> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), stdin)) text.append(piece.data(), size);
  if (std::ferror(stdin) != 0) return base::system_error("cannot read standard input", errno);
  return text;
}

base::result<live_snapshot> read(const std::string& file) {
  const bool piped = file == "-";
  const auto text = piped ? read_standard_input() : base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  return inspect::parse_snapshot(*text, piped ? "standard input" : file);
}

bool differs(const changed_site& site) { return site.bytes_difference() != 0 || site.count_difference() != 0; }

std::string_view kind_of(const changed_site& site) {
  if (site.count_before == 0 && site.count_after != 0) return "new";
  if (site.count_after == 0 && site.count_before != 0) return "gone";
  if (site.bytes_difference() != 0) return site.bytes_difference() > 0 ? "grew" : "shrank";
  return site.count_difference() > 0 ? "grew" : site.count_difference() < 0 ? "shrank" : "same";
}

std::string place_of(const changed_site& site) {
  std::string place = place_text(site.where, site.kind);
  if (site.line_before != 0 && site.line_before != site.where.line)
    place += fmt::format(" (was :{})", site.line_before);
  return place;
}

std::string totals_text(const live_snapshot& before, const live_snapshot& after,
                        const inspect::snapshot_change& change) {
  table rows({"", "before", "after", "growth"});
  if (process_text(before) != process_text(after)) rows.add({"process", process_text(before), process_text(after), ""});
  rows.add(
      {"in memory", with_commas(before.rss_bytes), with_commas(after.rss_bytes), with_sign(change.rss_difference)});
  rows.add({"in frames", with_commas(before.frame_bytes), with_commas(after.frame_bytes),
            with_sign(change.frame_bytes_difference)});
  rows.add({"frames", with_commas(before.frames), with_commas(after.frames), with_sign(change.frames_difference)});
  return rows.text();
}

std::string sites_text(const std::vector<changed_site>& sites, std::size_t top) {
  table rows({"suspended in", "at", "growth", "bytes before", "bytes after", "frames before", "frames after"}, 2);
  std::size_t changed = 0;
  for (const auto& each : sites) {
    if (!differs(each)) continue;
    ++changed;
    if (top != 0 && changed > top) continue;
    const auto shown = [](std::uint64_t count, std::uint64_t number) { return count == 0 ? "-" : with_commas(number); };
    rows.add({short_name(each.function), place_of(each), with_sign(each.bytes_difference()),
              shown(each.count_before, each.bytes_before), shown(each.count_after, each.bytes_after),
              shown(each.count_before, each.count_before), shown(each.count_after, each.count_after)});
  }
  if (changed == 0) return "no place has more or fewer suspended frames\n";
  std::string text = rows.text(screen_width());
  if (top != 0 && changed > top) text += fmt::format("… and {} more\n", with_commas(changed - top));
  return text;
}

json totals_json(const live_snapshot& snapshot) {
  return {{"pid", snapshot.pid},
          {"command", snapshot.command},
          {"rss_bytes", snapshot.rss_bytes},
          {"frame_bytes", snapshot.frame_bytes},
          {"frames", snapshot.frames}};
}

std::string change_json(const live_snapshot& before, const live_snapshot& after, const std::vector<changed_site>& sites,
                        std::size_t top) {
  json all{{"schema", 1}, {"before", totals_json(before)}, {"after", totals_json(after)}, {"sites", json::array()}};
  for (const auto& each : sites) {
    if (top != 0 && all["sites"].size() >= top) break;
    all["sites"].push_back({{"change", kind_of(each)},
                            {"function", each.function},
                            {"file", each.where.file.empty() ? json() : json(each.where.file)},
                            {"line", each.where.line == 0 ? json() : json(each.where.line)},
                            {"line_before", each.line_before == 0 ? json() : json(each.line_before)},
                            {"suspension", name_of(each.kind)},
                            {"count_before", each.count_before},
                            {"count_after", each.count_after},
                            {"bytes_before", each.bytes_before},
                            {"bytes_after", each.bytes_after}});
  }
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

int run(const options& options) {
  if (options.before == "-" && options.after == "-") {
    return complain(base::error{base::fault::input, "only one of the two can be standard input"});
  }
  auto opened = output_file::open_if_named(options.json);
  if (!opened) return complain(opened.error());
  auto& json_file = *opened;
  const auto before = read(options.before);
  if (!before) return complain(before.error());
  const auto after = read(options.after);
  if (!after) return complain(after.error());
  const auto change = inspect::compare(*before, *after);
  if (json_file) {
    const auto written = json_file->write(change_json(*before, *after, change.sites, options.top));
    if (!written) return complain(written.error());
  }
  if (!json_file || !json_file->is_standard_output()) {
    auto screen = output_file::standard_output();
    const auto written =
        screen.write(totals_text(*before, *after, change) + '\n' + sites_text(change.sites, options.top));
    if (!written) return complain(written.error());
  }
  return finish_output(done);
}

}  // namespace

std::function<int()> add_compare(CLI::App& app) {
  CLI::App* compare = app.add_subcommand("compare", "Show which suspended frames grew between two snapshots");
  compare->footer(
      "The snapshots are files of tare snapshot or tare live --json; - is standard input. Exit status: 0 when both\n"
      "could be compared, 1 when something could not be read or written, 2 for wrong options or a file that is no\n"
      "snapshot.");
  auto chosen = std::make_shared<options>();
  compare->add_option("before", chosen->before, "The snapshot before")->required()->type_name("BEFORE");
  compare->add_option("after", chosen->after, "The snapshot after")->required()->type_name("AFTER");
  compare->add_option("--top", chosen->top, "Only the first N; 0: all")
      ->check(CLI::Range(0U, 1'000'000'000U))
      ->type_name("N");
  compare->add_option("--json", chosen->json, "Write the changes to this file; - is standard output")
      ->type_name("FILE");
  return [chosen] { return run(*chosen); };
}

}  // namespace tare::cli
