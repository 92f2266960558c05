#include "cli/frames.hpp"

#include "base/text_file.hpp"
#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/frames_report.hpp"
#include "cli/output_file.hpp"
#include "cli/pages.hpp"
#include "cli/pattern.hpp"
#include "cli/text_width.hpp"
#include "inspect/coroutine/await_table.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/live/snapshot_file.hpp"
#include "inspect/live/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using inspect::coroutine;

struct frames_options {
  std::string binary;
  std::string match;
  std::string sort = "frame";
  std::optional<std::size_t> top;
  bool awaits = false;
  bool advice = false;
  std::optional<std::string> counts;
  std::string tree;
  std::string json;
  std::string html;
  std::string await_table;
  std::vector<std::string> debug_folders;
};

std::uint64_t fattest_bytes(const coroutine& coroutine) {
  const auto* fattest = fattest_await(coroutine);
  return fattest == nullptr ? 0 : fattest->live_bytes + fattest->held_bytes;
}

void sort_by(std::string_view key, std::vector<coroutine>& all) {
  const auto weight = [&](const coroutine& each) -> std::uint64_t {
    if (key == "overhead") return each.overhead_bytes();
    if (key == "awaits") return body_awaits(each);
    if (key == "await") return fattest_bytes(each);
    if (key == "name" || key == "line") return 0;
    return each.frame_bytes.value_or(0);
  };
  std::ranges::sort(all, [&](const coroutine& a, const coroutine& b) {
    if (const auto x = weight(a), y = weight(b); x != y) return x > y;
    if (key == "line") {
      if (const auto order = std::tie(a.declared.file, a.declared.line) <=> std::tie(b.declared.file, b.declared.line);
          order != 0) {
        return order < 0;
      }
    }
    return std::tie(a.name, a.linkage_name, a.image) < std::tie(b.name, b.linkage_name, b.image);
  });
}

/// Prints the first few notes; the JSON has all of them.
void tell_notes(const std::vector<std::string>& notes) {
  constexpr std::size_t most = 5;
  for (std::size_t i = 0; i < notes.size() && i < most; ++i) complain("note: " + notes[i]);
  if (notes.size() > most) complain(fmt::format("note: and {} more; --json has all of them", notes.size() - most));
}

inspect::read_options reading(const frames_options& options) {
  inspect::read_options how;
  how.debug_folders.assign(options.debug_folders.begin(), options.debug_folders.end());
  return how;
}

/// The tree needs all coroutines: a coroutine may match while those that it awaits do not.
int show_tree(const frames_options& options) {
  inspect::read_options how = reading(options);
  how.liveness = false;
  const auto report = inspect::read_coroutines(options.binary, how);
  if (!report) return complain(report.error());
  tell_notes(report->notes);
  const std::string text = tree_text(report->coroutines, options.tree);
  if (text.empty()) {
    return complain(base::error{base::fault::input, fmt::format("no coroutine is named '{}'", options.tree)});
  }
  return show(text);
}

/// The table for objcopy to add to the binary.
int write_await_table(const frames_options& options) {
  inspect::read_options how = reading(options);
  how.liveness = false;
  how.rust = false;
  const auto report = inspect::read_coroutines(options.binary, how);
  if (!report) return complain(report.error());
  tell_notes(report->notes);
  const auto refuse = [&](std::string_view why) {
    return complain(base::error{base::fault::input, fmt::format("no await table of {}: {}", options.binary, why)});
  };
  if (report->build_id.empty()) {
    return refuse("it has no build id: link the program or library with -Wl,--build-id");
  }
  if (!report->coroutines.empty() && std::ranges::none_of(report->coroutines, &coroutine::is_described)) {
    return refuse("its debug information does not describe a single coroutine: build with -g");
  }
  auto file = output_file::open(options.await_table);
  if (!file) return complain(file.error());
  const auto written = file->write(inspect::await_table_text(report->coroutines, report->build_id));
  return written ? finish_output(done) : complain(written.error());
}

/// The number of suspended frames per function, of a process or of a snapshot.
base::result<inspect::frame_counts> read_counts(const std::string& from, const frames_options& options) {
  const auto snapshot = [&]() -> base::result<inspect::live_snapshot> {
    std::int64_t pid = 0;
    const auto [end, wrong] = std::from_chars(from.data(), from.data() + from.size(), pid);
    if (wrong != std::errc() || end != from.data() + from.size()) {
      const auto text = base::read_text_file(from);
      if (!text) return std::unexpected(text.error());
      return inspect::parse_snapshot(*text, from);
    }
    inspect::live_options how;
    how.debug_folders.assign(options.debug_folders.begin(), options.debug_folders.end());
    auto target = inspect::live_target::of_process(pid, std::move(how));
    if (!target) return std::unexpected(target.error());
    return target->snapshot();
  }();
  if (!snapshot) return std::unexpected(snapshot.error());
  inspect::frame_counts counts;
  for (const auto& site : snapshot->sites) counts[site.function] += site.count;
  return counts;
}

constexpr std::size_t default_rows = 100;

/// The maximum number of coroutines to show; nullopt: all.
std::optional<std::size_t> max_shown(const frames_options& options) {
  const bool all = options.awaits || options.advice || !options.json.empty() || !options.html.empty();
  const std::size_t most = options.top.value_or(all ? 0 : default_rows);
  return most == 0 ? std::nullopt : std::optional(most);
}

/// The coroutines to show, sorted, and how many more there are.
struct selection {
  inspect::coroutine_report report;
  std::size_t left_out = 0;
  bool any = false;  ///< whether there was a coroutine before the selection
};

class selector {
 public:
  selector(const frames_options& options, const std::optional<std::regex>& pattern)
      : options_(options), pattern_(pattern), most_(max_shown(options)) {}

  /// Reading awaits takes ten times as long as reading frame sizes. So awaits are read only for the coroutines that are
  /// shown, unless the order depends on awaits or all coroutines are shown.
  base::result<selection> read() const {
    const bool by_code = options_.sort == "overhead" || options_.sort == "await" || options_.sort == "awaits";
    const bool few = !by_code && (pattern_ || most_);
    inspect::read_options how = reading(options_);
    how.code = !few;
    auto report = inspect::read_coroutines(options_.binary, how);
    if (!report) return std::unexpected(report.error());
    selection found{.report = std::move(*report)};
    select(found);
    if (few) {
      if (const auto done = look_closer(how, found.report); !done) return std::unexpected(done.error());
    }
    return found;
  }

 private:
  void select(selection& found) const {
    auto& all = found.report.coroutines;
    found.any = !all.empty();
    if (pattern_) {
      std::erase_if(all, [&](const coroutine& coroutine) {
        return !std::regex_search(coroutine.name, *pattern_) && !std::regex_search(coroutine.declared.file, *pattern_);
      });
    }
    sort_by(options_.sort, all);
    if (!most_ || all.size() <= *most_) return;
    found.left_out = all.size() - *most_;
    all.resize(*most_);
  }

  /// Replaces the coroutines that were read from frame descriptions alone by those read from the code.
  base::result<void> look_closer(inspect::read_options how, inspect::coroutine_report& report) const {
    const auto key = [](const coroutine& each) { return std::tie(each.image, each.linkage_name, each.resume_address); };
    std::map<std::tuple<std::string, std::string, std::uint64_t>, coroutine*> shown;
    for (auto& each : report.coroutines) {
      if (each.resume_address == 0 || !each.frame_bytes) continue;
      how.only.push_back(each.resume_address);
      shown.emplace(key(each), &each);
    }
    if (shown.empty()) return {};
    how.code = true;
    how.rust = false;
    auto closer = inspect::read_coroutines(options_.binary, how);
    if (!closer) return std::unexpected(closer.error());
    for (auto& each : closer->coroutines) {
      if (const auto place = shown.find(key(each)); place != shown.end()) *place->second = std::move(each);
    }
    for (auto& note : closer->notes) {
      if (std::ranges::find(report.notes, note) == report.notes.end()) report.notes.push_back(std::move(note));
    }
    return {};
  }

  const frames_options& options_;
  const std::optional<std::regex>& pattern_;
  std::optional<std::size_t> most_;
};

int run(const frames_options& options) {
  std::optional<std::regex> pattern;
  if (!options.match.empty()) {
    auto given = pattern_of("--match", options.match);
    if (!given) return complain(given.error());
    pattern = std::move(*given);
  }
  std::optional<inspect::frame_counts> counts;
  if (options.counts) {
    if (options.counts->empty()) return complain(base::input_error("--counts needs a process ID or a file").error());
    auto counted = read_counts(*options.counts, options);
    if (!counted) return complain(counted.error());
    counts = std::move(*counted);
  }
  if (!options.await_table.empty()) return write_await_table(options);
  auto json_file = output_file::open_if_named(options.json);
  if (!json_file) return complain(json_file.error());
  if (!options.html.empty()) {
    if (const auto pages = need_pages(); !pages) return complain(pages.error());
  }
  auto html_file = output_file::open_if_named(options.html);
  if (!html_file) return complain(html_file.error());
  auto& json = *json_file;
  auto& html = *html_file;
  if (!options.tree.empty()) return show_tree(options);
  auto found = selector(options, pattern).read();
  if (!found) return complain(found.error());
  const auto& report = found->report;
  tell_notes(report.notes);
  const auto counted = [&](const coroutine& coroutine) { return counts->contains(coroutine.name); };
  if (counts && !report.coroutines.empty() && std::ranges::none_of(report.coroutines, counted)) {
    tell_notes({fmt::format("{} has no suspended frame of these coroutines", options.counts.value_or(""))});
  }
  if (json || html) {
    const std::string all = frames_json(report);
    if (json) {
      if (const auto written = json->write(all); !written) return complain(written.error());
    }
    if (html) {
      if (const auto written = html->write(frames_page(all)); !written) return complain(written.error());
    }
  }
  if ((json && json->is_standard_output()) || (html && html->is_standard_output())) return finish_output(done);
  if (!found->any) {
    fmt::print("{}\n", report.stripped ? "no coroutines found: the file is stripped"
                                       : fmt::format("no coroutines found in {} functions", report.functions));
    return finish_output(done);
  }
  if (report.coroutines.empty()) {
    fmt::print("no coroutine matches '{}'\n", options.match);
    return finish_output(done);
  }
  std::string text = options.awaits   ? awaits_text(report.coroutines)
                     : options.advice ? advice_text(report.coroutines, counts ? &*counts : nullptr)
                                      : frames_table(report.coroutines, screen_width());
  // A user who gave a number knows that there may be more.
  if (found->left_out != 0 && !options.top)
    text += fmt::format("and {} more; --top 0 shows all\n", with_commas(found->left_out));
  return show(text);
}

}  // namespace

std::function<int()> add_frames(CLI::App& app) {
  CLI::App* frames = app.add_subcommand("frames", "Show the coroutines of a binary, and what each holds at each await");
  frames->footer(
      "BINARY is a program, a shared library, an object file or an archive, built by clang 20 or newer, g++ or rustc\n"
      "with -g. Exit status: 0 when it could be read, 1 when it could not be read or written, 2 for wrong options or\n"
      "a file that is not an ELF file.");
  auto options = std::make_shared<frames_options>();
  frames->add_option("binary", options->binary, "The file to read")->required()->type_name("BINARY");
  auto* awaits =
      frames->add_flag("--awaits", options->awaits, "The awaits of each coroutine, and what is alive across each");
  auto* advice = frames->add_flag("--advice", options->advice, "How to make the frames lighter");
  auto* tree =
      frames->add_option("--tree", options->tree, "This coroutine and everything that it awaits")->type_name("NAME");
  advice->excludes(awaits);
  frames
      ->add_option("--counts", options->counts,
                   "With --advice: rank by the bytes saved over all frames of this process or snapshot")
      ->type_name("PID|FILE")
      ->needs(advice);
  tree->excludes(awaits)->excludes(advice);
  auto* match = frames->add_option("--match", options->match, "Only coroutines whose name or file matches this")
                    ->type_name("REGEX");
  frames
      ->add_option("--sort", options->sort,
                   "What comes first: the largest frame, overhead or await, or the most awaits")
      ->check(CLI::IsMember({"frame", "overhead", "await", "awaits", "name", "line"}))
      ->capture_default_str();
  frames->add_option("--top", options->top, "Only the first N; 0: all. By default a table has the first 100")
      ->check(CLI::Range(0U, 1'000'000'000U))
      ->type_name("N");
  auto* json = frames->add_option("--json", options->json, "Write everything to this file; - is standard output")
                   ->type_name("FILE");
  auto* html = frames->add_option("--html", options->html, "Write a page with a map of all frames to this file")
                   ->type_name("FILE");
  frames
      ->add_option("--await-table", options->await_table,
                   "Write the suspension points to this file, for the section .tare.awaits of the binary")
      ->type_name("FILE")
      ->excludes(awaits)
      ->excludes(advice)
      ->excludes(tree)
      ->excludes(match)
      ->excludes(json)
      ->excludes(html);
  frames->add_option("--debug-dir", options->debug_folders, "Another folder in which to look for separate debug files")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  return [options] { return run(*options); };
}

}  // namespace tare::cli
