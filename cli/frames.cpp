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

struct options {
  std::string binary;
  std::string match;
  std::string sort = "frame";
  std::optional<std::size_t> top;
  bool awaits = false;
  bool advice = false;
  std::string counts;
  std::string tree;
  std::string json;
  std::string html;
  std::string await_table;
  std::vector<std::string> debug_folders;
};

std::uint64_t fattest_bytes(const coroutine& of) {
  const auto* fattest = fattest_await(of);
  return fattest == nullptr ? 0 : fattest->live_bytes + fattest->held_bytes;
}

void sort_by(std::string_view key, std::vector<coroutine>& all) {
  const auto weight = [&](const coroutine& one) -> std::uint64_t {
    if (key == "overhead") return one.overhead_bytes();
    if (key == "awaits") return body_awaits(one);
    if (key == "await") return fattest_bytes(one);
    if (key == "name" || key == "line") return 0;
    return one.frame_bytes.value_or(0);
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

/// Of the notes those that matter most; all of them are in the JSON.
void tell_notes(const std::vector<std::string>& notes) {
  constexpr std::size_t most = 5;
  for (std::size_t i = 0; i < notes.size() && i < most; ++i) complain("note: " + notes[i]);
  if (notes.size() > most) complain(fmt::format("note: and {} more; --json has all of them", notes.size() - most));
}

inspect::read_options reading(const options& asked) {
  inspect::read_options how;
  how.debug_folders.assign(asked.debug_folders.begin(), asked.debug_folders.end());
  return how;
}

/// The tree needs all of them: who waits may match, and who is waited for not.
int show_tree(const options& asked) {
  inspect::read_options how = reading(asked);
  how.liveness = false;
  const auto report = inspect::read_coroutines(asked.binary, how);
  if (!report) return complain(report.error());
  tell_notes(report->notes);
  const std::string text = tree_text(report->coroutines, asked.tree);
  if (text.empty()) {
    return complain(base::error{base::fault::input, fmt::format("no coroutine is named '{}'", asked.tree)});
  }
  return show(text);
}

/// For objcopy to add to the binary.
int write_await_table(const options& asked) {
  inspect::read_options how = reading(asked);
  how.liveness = false;
  how.rust = false;
  const auto report = inspect::read_coroutines(asked.binary, how);
  if (!report) return complain(report.error());
  tell_notes(report->notes);
  const auto refuse = [&](std::string_view why) {
    return complain(base::error{base::fault::input, fmt::format("no await table of {}: {}", asked.binary, why)});
  };
  if (report->build_id.empty()) {
    return refuse("it has no build id: only of a program or a library that is linked with -Wl,--build-id");
  }
  if (!report->coroutines.empty() && std::ranges::none_of(report->coroutines, &coroutine::is_described)) {
    return refuse("its debug information does not describe a single coroutine: build with -g");
  }
  auto file = output_file::open(asked.await_table);
  if (!file) return complain(file.error());
  const auto written = file->write(inspect::await_table_text(report->coroutines, report->build_id));
  return written ? finish_output(done) : complain(written.error());
}

/// How many frames of each function a process has suspended, or had when a snapshot of it was taken.
base::result<inspect::frame_counts> read_counts(const options& asked) {
  const auto snapshot = [&]() -> base::result<inspect::live_snapshot> {
    std::int64_t pid = 0;
    const auto [end, wrong] = std::from_chars(asked.counts.data(), asked.counts.data() + asked.counts.size(), pid);
    if (wrong != std::errc() || end != asked.counts.data() + asked.counts.size()) {
      const auto text = base::read_text_file(asked.counts);
      if (!text) return std::unexpected(text.error());
      return inspect::parse_snapshot(*text, asked.counts);
    }
    inspect::live_options how;
    how.debug_folders.assign(asked.debug_folders.begin(), asked.debug_folders.end());
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

/// How many coroutines are shown at most; nothing: all.
std::optional<std::size_t> max_shown(const options& asked) {
  const bool all = asked.awaits || asked.advice || !asked.json.empty() || !asked.html.empty();
  const std::size_t most = asked.top.value_or(all ? 0 : default_rows);
  return most == 0 ? std::nullopt : std::optional(most);
}

/// What is to be shown, sorted, and how many more there are.
struct selection {
  inspect::coroutine_report report;
  std::size_t left_out = 0;
  bool any = false;  ///< whether there was a coroutine before the selection
};

class selector {
 public:
  selector(const options& asked, const std::optional<std::regex>& pattern)
      : asked_(asked), pattern_(pattern), most_(max_shown(asked)) {}

  /// The sizes of frames are soon read, their awaits take ten times as long: these are read only of what is shown,
  /// unless the order depends on them, or all are.
  base::result<selection> read() const {
    const bool by_code = asked_.sort == "overhead" || asked_.sort == "await" || asked_.sort == "awaits";
    const bool few = !by_code && (pattern_ || most_);
    inspect::read_options how = reading(asked_);
    how.code = !few;
    auto report = inspect::read_coroutines(asked_.binary, how);
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
      std::erase_if(all, [&](const coroutine& one) {
        return !std::regex_search(one.name, *pattern_) && !std::regex_search(one.declared.file, *pattern_);
      });
    }
    sort_by(asked_.sort, all);
    if (!most_ || all.size() <= *most_) return;
    found.left_out = all.size() - *most_;
    all.resize(*most_);
  }

  /// Puts what the code says in the place of what only the descriptions of the frames say.
  base::result<void> look_closer(inspect::read_options how, inspect::coroutine_report& report) const {
    const auto key = [](const coroutine& one) { return std::tie(one.image, one.linkage_name, one.resume_address); };
    std::map<std::tuple<std::string, std::string, std::uint64_t>, coroutine*> shown;
    for (auto& one : report.coroutines) {
      if (one.resume_address == 0 || !one.frame_bytes) continue;
      how.only.push_back(one.resume_address);
      shown.emplace(key(one), &one);
    }
    if (shown.empty()) return {};
    how.code = true;
    how.rust = false;
    auto closer = inspect::read_coroutines(asked_.binary, how);
    if (!closer) return std::unexpected(closer.error());
    for (auto& one : closer->coroutines) {
      if (const auto place = shown.find(key(one)); place != shown.end()) *place->second = std::move(one);
    }
    for (auto& note : closer->notes) {
      if (std::ranges::find(report.notes, note) == report.notes.end()) report.notes.push_back(std::move(note));
    }
    return {};
  }

  const options& asked_;
  const std::optional<std::regex>& pattern_;
  std::optional<std::size_t> most_;
};

int run(const options& asked) {
  std::optional<std::regex> pattern;
  if (!asked.match.empty()) {
    auto given = pattern_of("--match", asked.match);
    if (!given) return complain(given.error());
    pattern = std::move(*given);
  }
  std::optional<inspect::frame_counts> counts;
  if (!asked.counts.empty()) {
    auto counted = read_counts(asked);
    if (!counted) return complain(counted.error());
    counts = std::move(*counted);
  }
  if (!asked.await_table.empty()) return write_await_table(asked);
  auto json_file = output_file::open_if_named(asked.json);
  if (!json_file) return complain(json_file.error());
  if (!asked.html.empty()) {
    if (const auto pages = need_pages(); !pages) return complain(pages.error());
  }
  auto html_file = output_file::open_if_named(asked.html);
  if (!html_file) return complain(html_file.error());
  auto& json = *json_file;
  auto& html = *html_file;
  if (!asked.tree.empty()) return show_tree(asked);
  auto found = selector(asked, pattern).read();
  if (!found) return complain(found.error());
  const auto& report = found->report;
  tell_notes(report.notes);
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
    fmt::print("no coroutine matches '{}'\n", asked.match);
    return finish_output(done);
  }
  std::string text = asked.awaits   ? awaits_text(report.coroutines)
                     : asked.advice ? advice_text(report.coroutines, counts ? &*counts : nullptr)
                                    : frames_table(report.coroutines, screen_width());
  // Who asked for a number knows that there may be more.
  if (found->left_out != 0 && !asked.top)
    text += fmt::format("and {} more; --top 0 shows all\n", with_commas(found->left_out));
  return show(text);
}

}  // namespace

std::function<int()> add_frames(CLI::App& app) {
  CLI::App* frames = app.add_subcommand("frames", "Show the coroutines of a binary, and what each keeps at each await");
  frames->footer(
      "BINARY is a program, a shared library, an object file or an archive, built by clang 20 or newer, g++ or rustc\n"
      "with -g. Exit status: 0 when it could be read, 1 when it could not be read or written, 2 for wrong options or\n"
      "a file that is no ELF file.");
  auto asked = std::make_shared<options>();
  frames->add_option("binary", asked->binary, "The file to look into")->required()->type_name("BINARY");
  auto* awaits =
      frames->add_flag("--awaits", asked->awaits, "For each coroutine its awaits, and what is alive across each");
  auto* advice = frames->add_flag("--advice", asked->advice, "What would make the frames lighter");
  auto* tree = frames->add_option("--tree", asked->tree, "This coroutine and all that it waits for")->type_name("NAME");
  advice->excludes(awaits);
  frames
      ->add_option(
          "--counts", asked->counts,
          "With --advice: what saves most over all frames first, as this process, or a snapshot of it, has them")
      ->type_name("PID|FILE")
      ->needs(advice);
  tree->excludes(awaits)->excludes(advice);
  auto* match =
      frames->add_option("--match", asked->match, "Only coroutines whose name or file this finds")->type_name("REGEX");
  frames->add_option("--sort", asked->sort, "What comes first: the largest frame, overhead, await, or most awaits")
      ->check(CLI::IsMember({"frame", "overhead", "await", "awaits", "name", "line"}))
      ->capture_default_str();
  frames->add_option("--top", asked->top, "Only the first N; 0: all. Without it a table has the first 100")
      ->check(CLI::Range(0U, 1'000'000'000U))
      ->type_name("N");
  auto* json = frames->add_option("--json", asked->json, "Write everything to this file; - is standard output")
                   ->type_name("FILE");
  auto* html = frames->add_option("--html", asked->html, "Write a page with a map of all frames to this file")
                   ->type_name("FILE");
  frames
      ->add_option("--await-table", asked->await_table,
                   "Write where they are suspended to this file, which is to be the binary's section .tare.awaits")
      ->type_name("FILE")
      ->excludes(awaits)
      ->excludes(advice)
      ->excludes(tree)
      ->excludes(match)
      ->excludes(json)
      ->excludes(html);
  frames->add_option("--debug-dir", asked->debug_folders, "Where to look for separate debug files, too")
      ->type_name("FOLDER")
      ->allow_extra_args(false);
  return [asked] { return run(*asked); };
}

}  // namespace tare::cli
