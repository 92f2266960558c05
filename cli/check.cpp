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

struct options {
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

/// A check that cannot be made is not a check that was passed: everything but a violation is status 2.
int cannot_check(const base::error& what) {
  complain(what.message);
  return bad_usage;
}

std::vector<inspect::violation> all_violations(const std::vector<inspect::coroutine>& coroutines,
                                               const std::vector<inspect::budget>& budgets,
                                               const inspect::ratchet& before) {
  auto found = inspect::check_budgets(coroutines, budgets);
  for (auto& one : inspect::check_declared(coroutines)) found.push_back(std::move(one));
  for (auto& one : inspect::check_ratchet(coroutines, before)) found.push_back(std::move(one));
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

/// A limit that holds for no coroutine fails nothing, but it is told: its coroutine may be gone, or it was misspelt.
void tell_idle(const inspect::coroutine_report& report, const std::vector<inspect::budget>& budgets) {
  for (const auto& one : budgets) {
    if (std::ranges::any_of(report.coroutines, [&](const auto& each) { return one.fits(each); })) continue;
    complain(fmt::format("note: {}: no coroutine fits this budget", short_place(one.where)));
  }
  for (const auto& one : report.idle_budgets) {
    if (one.where.file.empty()) continue;
    complain(
        fmt::format("note: {}: TARE_FRAME_BUDGET({}) holds for no frame: its coroutine was merged into its caller "
                    "or optimized away{}",
                    short_place(one.where), one.bytes,
                    one.function.empty() ? "" : fmt::format(", its code is in {}", one.function)));
  }
}

/// Says which budgets in the source could not be held to anything, for want of debug information.
bool tell_unchecked(const inspect::coroutine_report& report) {
  bool any = false;
  const auto tell = [&](std::string_view what) {
    complain(fmt::format("{} has a TARE_FRAME_BUDGET, but its frame is not known: build it with -g", what));
    any = true;
  };
  for (const auto& one : report.coroutines) {
    if (one.declared_budget && !one.frame_bytes) tell(one.name);
  }
  for (const auto& one : report.idle_budgets) {
    if (one.where.file.empty()) tell(one.function.empty() ? "a coroutine" : one.function);
  }
  return any;
}

/// Those whose name or file the pattern finds; all without one.
std::vector<inspect::coroutine> selected(const std::vector<inspect::coroutine>& all,
                                         const std::optional<std::regex>& pattern) {
  std::vector<inspect::coroutine> some = all;
  if (pattern) {
    std::erase_if(some, [&](const inspect::coroutine& one) {
      return !std::regex_search(one.name, *pattern) && !std::regex_search(one.declared.file, *pattern);
    });
  }
  return some;
}

/// Compilers differ in their frames: those of one say nothing about another's.
void tell_not_recorded(const inspect::coroutine_report& report, const inspect::ratchet& before, const fs::path& file) {
  std::set<std::string> missing;
  for (const auto& one : report.coroutines) {
    const std::string section(name_of(one.made_by));
    if (one.frame_bytes && !before.contains(section) && !before.contains("")) missing.insert(section);
  }
  for (const auto& one : missing) {
    complain(
        fmt::format("note: {} has no frames of {}: none of them is compared; --record adds them", file.string(), one));
  }
}

/// Writes the frames as they are. What another compiler's were, as `before` has them, stays.
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

/// On the screen, and as SARIF if that was asked for; `within` where there is nothing to tell.
base::result<void> tell(const std::vector<inspect::violation>& found, const options& asked,
                        std::optional<output_file>& sarif, const std::string& within) {
  if (sarif) {
    if (auto written = sarif->write(violations_sarif(found)); !written) return written;
    if (sarif->is_standard_output()) return {};
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
  const bool github = asked.format == "github" || (asked.format == "auto" && std::getenv("GITHUB_ACTIONS") != nullptr);
  auto screen = output_file::standard_output();
  return screen.write(found.empty() ? within : github ? violations_github(found) : violations_text(found));
}

int run(const options& asked) {
  auto opened = output_file::open_if_named(asked.sarif);
  if (!opened) return cannot_check(opened.error());
  auto& sarif = *opened;
  std::error_code ignored;
  std::vector<inspect::budget> budgets;
  const fs::path budget_file = asked.budget.empty() ? fs::path(default_budget) : fs::path(asked.budget);
  const bool has_budget = (!asked.budget.empty() && !asked.optional) || fs::exists(budget_file, ignored);
  if (has_budget) {
    auto read = inspect::read_budgets(budget_file);
    if (!read) return cannot_check(read.error());
    budgets = std::move(*read);
    if (budgets.empty()) complain(fmt::format("note: {} has no [[budget]]", budget_file.string()));
  }
  const fs::path ratchet_file =
      asked.ratchet.empty() ? budget_file.parent_path() / default_ratchet : fs::path(asked.ratchet);
  std::optional<std::regex> pattern;
  if (!asked.match.empty()) {
    auto given = pattern_of("--match", asked.match);
    if (!given) return cannot_check(given.error());
    pattern = std::move(*given);
  }
  const bool was_recorded = fs::exists(ratchet_file, ignored);
  const bool has_ratchet = !asked.record && ((!asked.ratchet.empty() && !asked.optional) || was_recorded);
  inspect::ratchet before;
  if (has_ratchet || was_recorded) {
    auto read = inspect::read_ratchet(ratchet_file);
    if (!read) return cannot_check(read.error());
    before = std::move(*read);
  }

  inspect::read_options how;
  how.debug_folders.assign(asked.debug_folders.begin(), asked.debug_folders.end());
  // The sizes of frames are in the debug information; the code has to be read for these.
  how.code = std::ranges::any_of(budgets, [](const auto& one) { return one.await || one.chain; });
  const auto report = inspect::read_coroutines(asked.binary, how);
  if (!report) return cannot_check(report.error());
  for (const auto& note : report->notes) complain("note: " + note);
  const auto known =
      std::ranges::count_if(report->coroutines, [](const auto& one) { return one.frame_bytes.has_value(); });
  if (report->coroutines.empty() && report->stripped) {
    return cannot_check({base::fault::input, fmt::format("{} is stripped: check the binary before", asked.binary)});
  }
  if (known == 0 && !report->coroutines.empty()) {
    return cannot_check(
        {base::fault::input, fmt::format("{} has {} coroutines, but the size of none is known: build with -g",
                                         asked.binary, report->coroutines.size())});
  }
  if (asked.record) {
    if (const auto recorded = record(*report, pattern, std::move(before), ratchet_file); !recorded) {
      return cannot_check(recorded.error());
    }
    before.clear();
  }
  if (has_ratchet) tell_not_recorded(*report, before, ratchet_file);
  const bool declared = !report->idle_budgets.empty() || std::ranges::any_of(report->coroutines, [](const auto& one) {
    return one.declared_budget.has_value();
  });
  if (budgets.empty() && !has_ratchet && !asked.record && !declared) {
    const std::string nothing = fmt::format(
        "nothing to check against: write {}, or record the frames as they are with tare check {} --record --ratchet {}",
        budget_file.string(), asked.binary, ratchet_file.string());
    if (!asked.optional) return cannot_check({base::fault::input, nothing});
    complain("note: " + nothing);
    return finish_output(done);
  }
  tell_idle(*report, budgets);
  const bool unchecked = tell_unchecked(*report);
  const auto found = all_violations(report->coroutines, budgets, before);
  std::string within;
  if (!unchecked && !asked.record) within = fmt::format("{} frames are within their budgets\n", known);
  if (const auto written = tell(found, asked, sarif, within); !written) return cannot_check(written.error());
  return finish_output(!found.empty() ? failed : unchecked ? bad_usage : done);
}

}  // namespace

std::function<int()> add_check(CLI::App& app) {
  CLI::App* check = app.add_subcommand("check", "Hold the frames of a binary to budgets, and to what they were");
  check->footer(
      "Budgets are in tare.toml or the file of --budget, beside coroutines in the source (TARE_FRAME_BUDGET), and in\n"
      "the file that --record writes: a frame that is larger than it was fails the check.\n"
      "Exit status: 0 when all hold, 1 when one does not, 2 when it could not be checked.");
  auto asked = std::make_shared<options>();
  check->add_option("binary", asked->binary, "The file to look into")->required()->type_name("BINARY");
  check->add_option("--budget", asked->budget, "The budgets; without it tare.toml, if there is one")->type_name("FILE");
  check->add_option("--ratchet", asked->ratchet, "The recorded frames; without it tare.ratchet.toml beside the budgets")
      ->type_name("FILE");
  auto* record = check->add_flag("--record", asked->record, "Write the frames as they are now to the ratchet file");
  check->add_option("--match", asked->match, "Record only coroutines whose name or file this finds")
      ->type_name("REGEX")
      ->needs(record);
  check->add_flag("--optional", asked->optional,
                  "A file that does not exist, and nothing to check against, are no errors");
  check->add_option("--sarif", asked->sarif, "Write the violations as SARIF 2.1.0; - is standard output")
      ->type_name("FILE");
  check->add_option("--format", asked->format, "How violations are printed; auto: github in a workflow of GitHub")
      ->check(CLI::IsMember({"auto", "text", "github"}))
      ->capture_default_str();
  check->add_option("--debug-dir", asked->debug_folders, "Where to look for separate debug files, too")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  return [asked] { return run(*asked); };
}

}  // namespace tare::cli
