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

struct options {
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

/// How many are shown: what --top says, where 0 is all, or as many as usual.
std::size_t max_of(const options& asked, std::size_t usual) {
  return !asked.top ? usual : *asked.top == 0 ? all_of_them : *asked.top;
}

int show_list(const options& asked) {
  const auto pattern = pattern_of("--list", asked.list);
  if (!pattern) return complain(pattern.error());
  auto target = open_target(asked.target, false);
  if (!target) return complain(target.error());
  constexpr std::size_t usual = 20;
  const auto frames =
      target->list([&](const std::string& name) { return std::regex_search(name, *pattern); }, max_of(asked, usual));
  if (!frames) return complain(frames.error());
  if (frames->empty()) return show(fmt::format("no suspended frame matches '{}'\n", asked.list));
  return show(list_text(*frames));
}

int show_frame(const options& asked) {
  std::string_view digits = asked.frame;
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  std::uint64_t address = 0;
  const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
  if (wrong != std::errc() || end != digits.data() + digits.size()) {
    return complain(base::error{base::fault::input,
                                fmt::format("--frame '{}' is no address: give one as --list shows it", asked.frame)});
  }
  auto target = open_target(asked.target, true);
  if (!target) return complain(target.error());
  const auto view = target->frame(address);
  if (!view) return complain(view.error());
  return show(frame_text(*view));
}

int watch(const options& asked, double seconds) {
  auto target = open_target(asked.target, true);
  if (!target) return complain(target.error());
  stop_request stop;
  const auto interval = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
  const auto watched = watch_live([&] { return target->snapshot(); }, interval, stop);
  if (const int status = stop.exit_status(); status != 0) return status;
  return watched ? finish_output(done) : complain(watched.error());
}

std::string text_of(const options& asked, const inspect::live_snapshot& taken) {
  if (asked.folded) return folded_text(taken, asked.weight == "frames" ? folded_weight::frames : folded_weight::bytes);
  const std::string memory = memory_table(taken);
  const std::string head = live_head(taken) + "\n" + (memory.empty() ? "" : memory + "\n");
  if (!asked.stacks) return head + live_table(taken, asked.top.value_or(0), screen_width());
  tree_limits limits;
  limits.width = max_of(asked, limits.width);
  limits.columns = screen_width();
  return head + stacks_text(taken, limits);
}

int run(const options& asked) {
  if (asked.watch) return watch(asked, *asked.watch);
  if (!asked.list.empty()) return show_list(asked);
  if (!asked.frame.empty()) return show_frame(asked);
  auto json_file = output_file::open_if_named(asked.json);
  if (!json_file) return complain(json_file.error());
  if (!asked.html.empty()) {
    if (const auto pages = need_pages(); !pages) return complain(pages.error());
  }
  auto html_file = output_file::open_if_named(asked.html);
  if (!html_file) return complain(html_file.error());
  auto& json = *json_file;
  auto& html = *html_file;
  auto target = open_target(asked.target, asked.stacks || asked.folded || json || html);
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
  return show(text_of(asked, *taken));
}

}  // namespace

std::function<int()> add_live(CLI::App& app) {
  CLI::App* live = app.add_subcommand("live",
                                      "Show what all coroutines of a running process, or of its core file, "
                                      "are suspended at");
  live->footer(
      "The process is read from outside, and needs no preparation but debug information (-g). Exit status: 0 when it\n"
      "could be read, 1 when it could not, 2 for wrong options, a process that does not exist, or a file that is not a "
      "core file.");
  auto asked = std::make_shared<options>();
  add_target_options(*live, asked->target);
  auto* stacks =
      live->add_flag("--stacks", asked->stacks, "Who waits for whom, as a tree from the roots to the leaves");
  auto* folded = live->add_flag("--folded", asked->folded, "The same, a line each, for flame graph tools");
  folded->excludes(stacks);
  live->add_option("--weight", asked->weight, "What the lines of --folded count")
      ->check(CLI::IsMember({"bytes", "frames"}))
      ->needs(folded)
      ->capture_default_str();
  live->add_option("--top", asked->top, "Only the heaviest N; 0: all")
      ->check(CLI::Range(0U, 1'000'000'000U))
      ->type_name("N");
  auto* json =
      live->add_option("--json", asked->json, "Write everything to this file; - is standard output")->type_name("FILE");
  auto* list = live->add_option("--list", asked->list, "Where the frames are whose function or place this finds")
                   ->type_name("REGEX")
                   ->excludes(stacks)
                   ->excludes(folded)
                   ->excludes(json);
  auto* frame = live->add_option("--frame", asked->frame, "What the variables of the frame at this address hold")
                    ->type_name("ADDRESS")
                    ->excludes(stacks)
                    ->excludes(folded)
                    ->excludes(json)
                    ->excludes(list);
  auto* html = live->add_option("--html", asked->html, "Write a page with a chart of who waits for whom to this file")
                   ->type_name("FILE");
  list->excludes(html);
  frame->excludes(html);
  constexpr double shortest_interval = 0.2;
  constexpr double longest_interval = 60;
  live->add_option("--watch", asked->watch, "Show it on the terminal, again after so many seconds (default 2)")
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
  return [asked] { return run(*asked); };
}

}  // namespace tare::cli
