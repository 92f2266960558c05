#include "cli/live.hpp"

#include "cli/error.hpp"
#include "cli/live_report.hpp"
#include "cli/live_target.hpp"
#include "cli/output_file.hpp"
#include "inspect/live/snapshot_file.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tare::cli {
namespace {

struct options {
  live_target_options target;
  bool stacks = false;
  bool folded = false;
  std::string weight = "bytes";
  std::size_t top = 0;
  std::string json;
};

/// A file that was asked for, opened before the work begins.
inspect::result<std::optional<output_file>> open_output(const std::string& path) {
  if (path.empty()) return std::nullopt;
  auto opened = output_file::open(path);
  if (!opened) return std::unexpected(opened.error());
  return std::optional<output_file>(std::move(*opened));
}

std::string text_of(const options& asked, const inspect::live_snapshot& taken) {
  if (asked.folded) return folded_text(taken, asked.weight == "frames" ? folded_weight::frames : folded_weight::bytes);
  if (!asked.stacks) return live_head(taken) + "\n" + live_table(taken, asked.top);
  tree_limits limits;
  if (asked.top != 0) limits.width = asked.top;
  return live_head(taken) + "\n" + stacks_text(taken, limits);
}

int run(const options& asked) {
  auto json = open_output(asked.json);
  if (!json) return complain(json.error());
  auto target = open_target(asked.target, asked.stacks || asked.folded || *json);
  if (!target) return complain(target.error());
  const auto taken = target->snapshot();
  if (!taken) return complain(taken.error());
  for (const auto& note : taken->notes) complain("note: " + note);
  if (*json) {
    if (const auto written = (*json)->write(inspect::snapshot_json(*taken)); !written) return complain(written.error());
    if ((*json)->is_standard_output()) return finish_output(done);
  }
  auto screen = output_file::standard_output();
  if (const auto written = screen.write(text_of(asked, *taken)); !written) return complain(written.error());
  return finish_output(done);
}

}  // namespace

std::function<int()> add_live(CLI::App& app) {
  CLI::App* live = app.add_subcommand("live",
                                      "Show what all coroutines of a running process, or of its core file, "
                                      "are suspended at");
  live->footer(
      "The process is read from outside, and needs no preparation but debug information (-g). Exit status: 0 when it\n"
      "could be read, 1 when it could not, 2 for wrong options, a process that there is not, or no core file.");
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
  live->add_option("--top", asked->top, "Only the heaviest N")->check(CLI::Range(1U, 1'000'000'000U))->type_name("N");
  live->add_option("--json", asked->json, "Write everything to this file; - is standard output")->type_name("FILE");
  return [asked] { return run(*asked); };
}

}  // namespace tare::cli
