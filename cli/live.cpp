#include "cli/live.hpp"

#include "cli/error.hpp"
#include "cli/frame_report.hpp"
#include "cli/live_report.hpp"
#include "cli/live_target.hpp"
#include "cli/live_terminal.hpp"
#include "cli/output_file.hpp"
#include "cli/pages.hpp"
#include "cli/pattern.hpp"
#include "cli/stop_request.hpp"
#include "cli/text_width.hpp"
#include "inspect/live/snapshot_file.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

namespace tare::cli {
namespace {

struct live_options {
  live_target_options target;
  bool stacks = false;
  bool folded = false;
  std::string weight = "bytes";
  std::optional<std::size_t> top;  ///< 0: all
  std::string json;
  std::string html;
  std::string list;
  std::string frame;
  std::optional<double> watch;
};

constexpr std::size_t all_of_them = std::numeric_limits<std::size_t>::max();

/// The number of rows to show: that of --top, where 0 means all, or the usual one.
std::size_t max_of(const live_options& options, std::size_t usual) {
  return !options.top ? usual : *options.top == 0 ? all_of_them : *options.top;
}

int show_list(const live_options& options) {
  const auto pattern = pattern_of("--list", options.list);
  if (!pattern) return complain(pattern.error());
  auto target = open_target(options.target, false);
  if (!target) return complain(target.error());
  constexpr std::size_t usual = 20;
  const auto frames =
      target->list([&](const std::string& name) { return std::regex_search(name, *pattern); }, max_of(options, usual));
  if (!frames) return complain(frames.error());
  if (frames->empty()) return show(fmt::format("no suspended frame matches '{}'\n", options.list));
  return show(list_text(*frames));
}

int show_frame(const live_options& options) {
  std::string_view digits = options.frame;
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  std::uint64_t address = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
  if (wrong != std::errc() || end != digits.data() + digits.size()) {
    return complain(base::error{
        base::fault::input, fmt::format("--frame '{}' is not an address: pass one that --list shows", options.frame)});
  }
  auto target = open_target(options.target, true);
  if (!target) return complain(target.error());
  const auto view = target->frame(address);
  if (!view) return complain(view.error());
  return show(frame_text(*view));
}

int watch(const live_options& options, double seconds) {
  auto target = open_target(options.target, true);
  if (!target) return complain(target.error());
  stop_request stop;
  const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
  const auto watched = watch_live([&] { return target->snapshot(); }, interval, stop);
  if (const int status = stop.exit_status(); status != 0) return status;
  return watched ? finish_output(done) : complain(watched.error());
}

std::string text_of(const live_options& options, const inspect::live_snapshot& taken) {
  if (options.folded)
    return folded_text(taken, options.weight == "frames" ? folded_weight::frames : folded_weight::bytes);
  const std::string memory = memory_table(taken);
  const std::string head = live_head(taken) + "\n" + (memory.empty() ? "" : memory + "\n");
  if (!options.stacks) return head + live_table(taken, options.top.value_or(0), screen_width());
  tree_limits limits;
  limits.width = max_of(options, limits.width);
  limits.columns = screen_width();
  return head + stacks_text(taken, limits);
}

int run(const live_options& options) {
  if (options.watch) return watch(options, *options.watch);
  if (!options.list.empty()) return show_list(options);
  if (!options.frame.empty()) return show_frame(options);
  auto json_file = output_file::open_if_named(options.json);
  if (!json_file) return complain(json_file.error());
  if (!options.html.empty()) {
    if (const auto pages = need_pages(); !pages) return complain(pages.error());
  }
  auto html_file = output_file::open_if_named(options.html);
  if (!html_file) return complain(html_file.error());
  auto& json = *json_file;
  auto& html = *html_file;
  auto target = open_target(options.target, options.stacks || options.folded || json || html);
  if (!target) return complain(target.error());
  const auto taken = target->snapshot();
  if (!taken) return complain(taken.error());
  for (const auto& note : taken->notes) complain("note: " + note);
  if (json || html) {
    const std::string all = inspect::snapshot_json(*taken);
    if (json) {
      if (const auto written = json->write(all); !written) return complain(written.error());
    }
    if (html) {
      if (const auto written = html->write(live_page(all)); !written) return complain(written.error());
    }
  }
  if ((json && json->is_standard_output()) || (html && html->is_standard_output())) return finish_output(done);
  return show(text_of(options, *taken));
}

}  // namespace

std::function<int()> add_live(CLI::App& app) {
  CLI::App* live = app.add_subcommand("live",
                                      "Show where all coroutines of a running process, or of a core file, "
                                      "are suspended");
  live->footer(
      "The process is read from outside; all it needs is debug information (-g). Exit status: 0 when it could be "
      "read,\n"
      "1 when it could not, 2 for wrong options, a process that does not exist, or a file that is not a core file.");
  auto options = std::make_shared<live_options>();
  add_target_options(*live, options->target);
  auto* stacks = live->add_flag("--stacks", options->stacks,
                                "Which coroutine waits for which, as a tree from the roots to the leaves");
  auto* folded = live->add_flag("--folded", options->folded, "The same, one line per path, for flame graph tools");
  folded->excludes(stacks);
  live->add_option("--weight", options->weight, "What the lines of --folded count")
      ->check(CLI::IsMember({"bytes", "frames"}))
      ->needs(folded)
      ->capture_default_str();
  live->add_option("--top", options->top, "Only the heaviest N; 0: all")
      ->check(CLI::Range(0U, 1'000'000'000U))
      ->type_name("N");
  auto* json = live->add_option("--json", options->json, "Write everything to this file; - is standard output")
                   ->type_name("FILE");
  auto* list =
      live->add_option("--list", options->list, "The addresses of the frames whose function or place matches this")
          ->type_name("REGEX")
          ->excludes(stacks)
          ->excludes(folded)
          ->excludes(json);
  auto* frame = live->add_option("--frame", options->frame, "The values of the variables in the frame at this address")
                    ->type_name("ADDRESS")
                    ->excludes(stacks)
                    ->excludes(folded)
                    ->excludes(json)
                    ->excludes(list);
  auto* html = live->add_option("--html", options->html,
                                "Write a page with a chart of which coroutine waits for which to this file")
                   ->type_name("FILE");
  list->excludes(html);
  frame->excludes(html);
  constexpr double shortest_interval = 0.2;
  constexpr double longest_interval = 60;
  live->add_option("--watch", options->watch,
                   "Show it on the terminal, and update it every so many seconds (default 2)")
      ->type_name("SECONDS")
      ->expected(0, 1)
      ->default_str("2")
      ->check(CLI::Range(shortest_interval, longest_interval))
      ->excludes(html)
      ->excludes(stacks)
      ->excludes(folded)
      ->excludes(json)
      ->excludes(list)
      ->excludes(frame)
      ->excludes("--core");
  return [options] { return run(*options); };
}

}  // namespace tare::cli
