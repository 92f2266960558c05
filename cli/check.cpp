#include "cli/check.hpp"

#include "cli/check_report.hpp"
#include "cli/error.hpp"
#include "cli/frames_report.hpp"
#include "cli/output_file.hpp"
#include "cli/pattern.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/facts/budget.hpp"
#include "inspect/facts/ratchet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view default_budget = "tare.toml";
constexpr std::string_view default_ratchet = "tare.ratchet.toml";

struct check_options {
  std::string binary;
  std::string budget;
  std::string ratchet;
  bool record = false;
  bool optional = false;
  std::string match;
  std::string sarif;
  std::string format = "auto";
  std::vector<std::string> debug_folders;
};

/// A check that could not run has not passed: every failure other than a violation exits with status 2.
int cannot_check(const base::error& what) {
  complain(what.message);
  return bad_usage;
}

std::vector<inspect::violation> all_violations(const std::vector<inspect::coroutine>& coroutines,
                                               const std::vector<inspect::budget>& budgets,
                                               const inspect::ratchet& before) {
  auto found = inspect::check_budgets(coroutines, budgets);
  for (auto& each : inspect::check_declared(coroutines)) found.push_back(std::move(each));
  for (auto& each : inspect::check_ratchet(coroutines, before)) found.push_back(std::move(each));
  std::ranges::sort(found, [](const auto& a, const auto& b) {
    return std::tie(a.where.file, a.where.line, a.rule, a.message) <
           std::tie(b.where.file, b.where.line, b.rule, b.message);
  });
  // Two files of one archive may have the same inline coroutine.
  const auto [first, last] = std::ranges::unique(
      found, [](const auto& a, const auto& b) { return a.where == b.where && a.message == b.message; });
  found.erase(first, last);
  return found;
}

/// A budget that matches no coroutine is not a failure, but it gets a note: the coroutine may no longer exist, or the
/// pattern is misspelt.
void note_idle_budgets(const inspect::coroutine_report& report, const std::vector<inspect::budget>& budgets) {
  for (const auto& item : budgets) {
    if (std::ranges::any_of(report.coroutines, [&](const auto& each) { return item.fits(each); })) continue;
    complain(fmt::format("note: {}: no coroutine matches this budget", short_place(item.where)));
  }
  for (const auto& item : report.idle_budgets) {
    if (item.where.file.empty()) continue;
    complain(
        fmt::format("note: {}: TARE_FRAME_BUDGET({}) applies to no frame: its coroutine was merged into its caller "
                    "or optimized away{}",
                    short_place(item.where), item.bytes,
                    item.function.empty() ? "" : fmt::format(", its code is in {}", item.function)));
  }
}

/// Names the budgets in the source that could not be checked because debug information is missing.
bool report_unchecked(const inspect::coroutine_report& report) {
  bool any = false;
  const auto report_one = [&](std::string_view what) {
    complain(fmt::format("{} has a TARE_FRAME_BUDGET, but its frame is not known: build it with -g", what));
    any = true;
  };
  for (const auto& each : report.coroutines) {
    if (each.declared_budget && !each.frame_bytes) report_one(each.name);
  }
  for (const auto& each : report.idle_budgets) {
    if (each.where.file.empty()) report_one(each.function.empty() ? "a coroutine" : each.function);
  }
  return any;
}

/// The coroutines whose name or file matches the pattern; all of them without a pattern.
std::vector<inspect::coroutine> selected(const std::vector<inspect::coroutine>& all,
                                         const std::optional<std::regex>& pattern) {
  std::vector<inspect::coroutine> some = all;
  if (pattern) {
    std::erase_if(some, [&](const inspect::coroutine& each) {
      return !std::regex_search(each.name, *pattern) && !std::regex_search(each.declared.file, *pattern);
    });
  }
  return some;
}

/// Frames differ between compilers, so those of one compiler are not compared with those of another.
void note_not_recorded(const inspect::coroutine_report& report, const inspect::ratchet& before, const fs::path& file) {
  std::set<std::string> missing;
  for (const auto& each : report.coroutines) {
    const std::string section(name_of(each.made_by));
    if (each.frame_bytes && !before.contains(section) && !before.contains("")) missing.insert(section);
  }
  for (const auto& each : missing) {
    complain(fmt::format("note: {} has no frames of {}, so these are not compared; --record adds them", file.string(),
                         each));
  }
}

/// Writes the current frames. The frames that `before` has of other compilers are kept.
base::result<void> record(const inspect::coroutine_report& report, const std::optional<std::regex>& pattern,
                          inspect::ratchet before, const fs::path& file) {
  auto out = output_file::open(file.string());
  if (!out) return std::unexpected(out.error());
  auto frames = inspect::record_frames(selected(report.coroutines, pattern));
  const std::size_t count = inspect::count_frames(frames);
  before.erase("");
  frames.merge(before);
  if (auto written = out->write(inspect::ratchet_text(frames)); !written) return std::unexpected(written.error());
  fmt::print("{} frames recorded in {}\n", count, file.string());
  return {};
}

/// Prints the violations, and writes them as SARIF if requested; prints `within` if there are none.
base::result<void> report_violations(const std::vector<inspect::violation>& found, const check_options& options,
                                     std::optional<output_file>& sarif, const std::string& within) {
  if (sarif) {
    if (auto written = sarif->write(violations_sarif(found)); !written) return written;
    if (sarif->is_standard_output()) return {};
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  const bool is_in_actions = std::getenv("GITHUB_ACTIONS") != nullptr;
  const bool github = options.format == "github" || (options.format == "auto" && is_in_actions);
  auto screen = output_file::standard_output();
  return screen.write(found.empty() ? within : github ? violations_github(found) : violations_text(found));
}

std::size_t known_sizes(const inspect::coroutine_report& report) {
  return static_cast<std::size_t>(
      std::ranges::count_if(report.coroutines, [](const auto& each) { return each.frame_bytes.has_value(); }));
}

/// What the frames are compared with.
struct limits {
  fs::path budget_file;
  std::vector<inspect::budget> budgets;
  fs::path ratchet_file;
  bool has_ratchet = false;
  inspect::ratchet before;
};

base::result<limits> read_limits(const check_options& options) {
  limits all;
  std::error_code ignored;
  all.budget_file = options.budget.empty() ? fs::path(default_budget) : fs::path(options.budget);
  if ((!options.budget.empty() && !options.optional) || fs::exists(all.budget_file, ignored)) {
    auto read = inspect::read_budgets(all.budget_file);
    if (!read) return std::unexpected(read.error());
    all.budgets = std::move(*read);
    if (all.budgets.empty()) complain(fmt::format("note: {} has no [[budget]]", all.budget_file.string()));
  }
  all.ratchet_file =
      options.ratchet.empty() ? all.budget_file.parent_path() / default_ratchet : fs::path(options.ratchet);
  const bool was_recorded = fs::exists(all.ratchet_file, ignored);
  all.has_ratchet = !options.record && ((!options.ratchet.empty() && !options.optional) || was_recorded);
  if (all.has_ratchet || was_recorded) {
    auto read = inspect::read_ratchet(all.ratchet_file);
    if (!read) return std::unexpected(read.error());
    all.before = std::move(*read);
  }
  return all;
}

/// Reads the binary. It is an error if nothing is known about the frames of its coroutines.
base::result<inspect::coroutine_report> read_frames(const check_options& options, const limits& against) {
  inspect::read_options how;
  how.debug_folders.assign(options.debug_folders.begin(), options.debug_folders.end());
  // The sizes of frames come from the debug information; the code is read only for awaits and chains.
  how.code = std::ranges::any_of(against.budgets, [](const auto& each) { return each.await || each.chain; });
  auto report = inspect::read_coroutines(options.binary, how);
  if (!report) return report;
  for (const auto& note : report->notes) complain("note: " + note);
  if (report->coroutines.empty() && report->stripped) {
    return base::input_error(
        fmt::format("{} is stripped: check the binary from before it was stripped", options.binary));
  }
  if (known_sizes(*report) == 0 && !report->coroutines.empty()) {
    return base::input_error(fmt::format("{} has {} coroutines, but the size of none is known: build with -g",
                                         options.binary, report->coroutines.size()));
  }
  return report;
}

int run(const check_options& options) {
  auto opened = output_file::open_if_named(options.sarif);
  if (!opened) return cannot_check(opened.error());
  std::optional<std::regex> pattern;
  auto against = read_limits(options);
  if (!against) return cannot_check(against.error());
  if (!options.match.empty()) {
    auto given = pattern_of("--match", options.match);
    if (!given) return cannot_check(given.error());
    pattern = std::move(*given);
  }
  const auto report = read_frames(options, *against);
  if (!report) return cannot_check(report.error());
  if (options.record) {
    const auto recorded = record(*report, pattern, std::move(against->before), against->ratchet_file);
    if (!recorded) return cannot_check(recorded.error());
    against->before.clear();
  }
  if (against->has_ratchet) note_not_recorded(*report, against->before, against->ratchet_file);
  const bool declared = !report->idle_budgets.empty() || std::ranges::any_of(report->coroutines, [](const auto& each) {
    return each.declared_budget.has_value();
  });
  if (against->budgets.empty() && !against->has_ratchet && !options.record && !declared) {
    const std::string nothing = fmt::format(
        "nothing to check against: write {}, or record the current frames with tare check {} --record --ratchet {}",
        against->budget_file.string(), options.binary, against->ratchet_file.string());
    if (!options.optional) return cannot_check({base::fault::input, nothing});
    complain("note: " + nothing);
    return finish_output(done);
  }
  note_idle_budgets(*report, against->budgets);
  const bool unchecked = report_unchecked(*report);
  const auto found = all_violations(report->coroutines, against->budgets, against->before);
  std::string within;
  if (!unchecked && !options.record) within = fmt::format("{} frames are within their budgets\n", known_sizes(*report));
  const auto written = report_violations(found, options, *opened, within);
  if (!written) return cannot_check(written.error());
  return finish_output(!found.empty() ? failed : unchecked ? bad_usage : done);
}

}  // namespace

std::function<int()> add_check(CLI::App& app) {
  CLI::App* check =
      app.add_subcommand("check", "Check the frames of a binary against budgets and against recorded sizes");
  check->footer(
      "Budgets are in tare.toml or the file of --budget, beside coroutines in the source (TARE_FRAME_BUDGET), and in\n"
      "the file that --record writes: a frame that is larger than it was fails the check.\n"
      "Exit status: 0 when all hold, 1 when one does not, 2 when it could not be checked.");
  auto options = std::make_shared<check_options>();
  check->add_option("binary", options->binary, "The file to read")->required()->type_name("BINARY");
  check->add_option("--budget", options->budget, "The budgets; the default is tare.toml, if it exists")
      ->type_name("FILE");
  check
      ->add_option("--ratchet", options->ratchet,
                   "The recorded frames; the default is tare.ratchet.toml beside the budgets")
      ->type_name("FILE");
  auto* record = check->add_flag("--record", options->record, "Write the current frames to the ratchet file");
  check->add_option("--match", options->match, "Record only coroutines whose name or file matches this")
      ->type_name("REGEX")
      ->needs(record);
  check->add_flag("--optional", options->optional,
                  "It is not an error if a file does not exist or if there is nothing to check against");
  check->add_option("--sarif", options->sarif, "Write the violations as SARIF 2.1.0; - is standard output")
      ->type_name("FILE");
  check->add_option("--format", options->format, "How violations are printed; auto: github in a GitHub workflow")
      ->check(CLI::IsMember({"auto", "text", "github"}))
      ->capture_default_str();
  check->add_option("--debug-dir", options->debug_folders, "Another folder in which to look for separate debug files")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  return [options] { return run(*options); };
}

}  // namespace tare::cli
