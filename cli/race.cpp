#include "cli/race.hpp"

#include "base/text_file.hpp"
#include "cli/connection_tables.hpp"
#include "cli/error.hpp"
#include "cli/numbers.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/race_page.hpp"
#include "cli/race_tables.hpp"
#include "cli/readme.hpp"
#include "cli/stop_request.hpp"
#include "load/descriptor_limit.hpp"
#include "load/race_connections.hpp"
#include "measure/race/race.hpp"
#include "measure/weigh/connection_kind.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

namespace fs = std::filesystem;

struct options {
  std::string peers;  // empty: bench/peers.toml, or bench/servers.toml
  std::vector<std::string> only;
  std::vector<std::string> workloads;
  bool connections = false;
  std::vector<std::string> kinds;
  std::vector<std::uint64_t> counts;
  bool quick = false;
  unsigned repeats = 0;     // 0: 3, or 1 when quick
  double time_limit = 120;  // seconds
  std::string output;       // a folder; empty: bench/results beside the list
  std::string from;
  std::string readme;
  bool check = false;
};

base::result<std::vector<const measure::workload*>> choose_workloads(const std::vector<std::string>& names) {
  std::vector<const measure::workload*> chosen;
  for (const auto& name : names) {
    if (measure::find_workload(name) != nullptr) continue;
    std::vector<std::string_view> known;
    for (const auto& each : measure::workloads()) known.push_back(each.name);
    return base::input_error(fmt::format("no workload is named '{}'; there are: {}", name, fmt::join(known, ", ")));
  }
  for (const auto& each : measure::workloads()) {
    if (names.empty() || std::ranges::find(names, each.name) != names.end()) chosen.push_back(&each);
  }
  return chosen;
}

base::result<std::vector<measure::connection_kind>> choose_kinds(const std::vector<std::string>& names) {
  const auto all = measure::connection_kinds();
  if (names.empty()) return std::vector(all.begin(), all.end());
  std::vector<measure::connection_kind> chosen;
  for (const auto& name : names) {
    const auto kind = measure::parse_connection_kind(name);
    if (!kind) return std::unexpected(kind.error());
    if (std::ranges::find(chosen, *kind) == chosen.end()) chosen.push_back(*kind);
  }
  return chosen;
}

std::string tables_of(const measure::race_results& results) {
  return results.connections ? connection_tables(results) : race_tables(results);
}

std::string summary_of(const measure::race_results& results) {
  return results.connections ? connection_summary(results) : race_summary(results);
}

/// The three files of a race: results, tables, page.
class race_files {
 public:
  /// Makes sure, before anything is measured, that they can be written.
  static base::result<race_files> open(const fs::path& folder, const std::string& name, bool with_page) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) return base::system_error(fmt::format("cannot make the folder {}", folder.string()), failed.value());
    race_files files;
    for (const auto* ending : {".json", ".md", ".html"}) {
      if (std::string_view(ending) == ".html" && !with_page) continue;
      files.names_.push_back((folder / (name + ending)).string());
      auto file = output_file::open(files.names_.back());
      if (!file) return std::unexpected(file.error());
      files.files_.push_back(std::move(*file));
    }
    return files;
  }

  /// One place that cannot be written does not keep the results from the others.
  [[nodiscard]] int write(const measure::race_results& results, const std::string& page) {
    int status = done;
    const std::vector<std::string> texts{measure::to_json(results), tables_of(results), page};
    for (std::size_t i = 0; i < files_.size(); ++i) {
      if (texts[i].empty()) continue;
      if (const auto written = files_[i].write(texts[i]); !written) status = complain(written.error());
    }
    return status;
  }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::vector<output_file> files_;
};

/// The page that bench/report has built, if it has.
std::string empty_page(const measure::peer_list& list) {
  if (list.page.empty()) return {};
  auto page = base::read_text_file(list.page);
  if (!page) {
    fmt::print(stderr, "tare: there will be no page: {} is not built; run: ./setup --peers\n", list.page.string());
    return {};
  }
  return std::move(*page);
}

int write_files(race_files& files, const measure::race_results& results, const std::string& page) {
  const auto filled = page.empty() ? std::optional(std::string()) : race_page(results, page);
  if (!filled) complain("the page has no place for the results; run: ./setup --peers");
  const int status = files.write(results, filled.value_or(""));
  if (status == done) fmt::print("\nWritten: {}\n", fmt::join(files.names(), ", "));
  return filled ? status : failed;
}

std::string list_of(const options& options) {
  if (!options.peers.empty()) return options.peers;
  return options.connections ? "bench/servers.toml" : "bench/peers.toml";
}

std::chrono::nanoseconds time_limit_of(const options& options) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options.time_limit));
}

unsigned repeats_of(const options& options) {
  return options.repeats != 0 ? options.repeats : (options.quick ? 1U : 3U);
}

/// A race that is ready to run.
using prepared_race = std::function<measure::race_results(const measure::race_listener&, measure::stop_signal)>;

base::result<prepared_race> prepare_tasks(const options& options, const fs::path& root,
                                          std::vector<measure::peer> chosen) {
  auto workloads = choose_workloads(options.workloads);
  if (!workloads) return std::unexpected(workloads.error());
  measure::race_plan plan{.root = root,
                          .peers = std::move(chosen),
                          .workloads = std::move(*workloads),
                          .counts = options.counts,
                          .quick = options.quick,
                          .repeats = repeats_of(options),
                          .time_limit = time_limit_of(options)};
  return [plan = std::move(plan)](const measure::race_listener& listener, measure::stop_signal stop) {
    return measure::race(plan, listener, stop);
  };
}

base::result<prepared_race> prepare_connections(const options& options, const fs::path& root,
                                                std::vector<measure::peer> chosen) {
  auto kinds = choose_kinds(options.kinds);
  if (!kinds) return std::unexpected(kinds.error());
  load::connection_race_plan plan{.root = root,
                                  .servers = std::move(chosen),
                                  .kinds = std::move(*kinds),
                                  .counts = options.counts,
                                  .quick = options.quick,
                                  .repeats = repeats_of(options),
                                  .time_limit = time_limit_of(options)};
  if (plan.counts.empty())
    plan.counts = options.quick ? std::vector<std::uint64_t>{500, 2000} : std::vector<std::uint64_t>{1000, 5000};
  const auto speaks_one = [&](const measure::peer& server) {
    return std::ranges::any_of(plan.kinds, [&](auto kind) { return server.speaks(kind); });
  };
  std::erase_if(plan.servers, [&](const auto& server) { return !speaks_one(server); });
  if (plan.servers.empty()) {
    return base::input_error(
        fmt::format("{}: none of the chosen servers speaks {}", list_of(options), measure::names_of(plan.kinds)));
  }
  if (const auto raised = load::raise_descriptor_limit(plan.counts.back()); !raised) {
    return std::unexpected(raised.error());
  }
  return [plan = std::move(plan)](const measure::race_listener& listener, measure::stop_signal stop) {
    return load::race_connections(plan, listener, stop);
  };
}

int run_race(const options& options) {
  stop_request stop;
  auto list = measure::read_peers(list_of(options));
  if (!list) return complain(list.error());
  auto chosen = measure::select_peers(*list, options.only);
  if (!chosen) return complain(chosen.error());
  const auto race = options.connections ? prepare_connections(options, list->root, std::move(*chosen))
                                        : prepare_tasks(options, list->root, std::move(*chosen));
  if (!race) return complain(race.error());

  const fs::path folder = options.output.empty() ? list->root / "bench/results" : fs::path(options.output);
  const std::string page = options.connections ? std::string() : empty_page(*list);
  const std::string name =
      measure::today() + (options.connections ? "-connections" : "") + (options.quick ? "-quick" : "");
  auto files = race_files::open(folder, name, !page.empty());
  if (!files) return complain(files.error());

  progress line;
  const auto results = (*race)({.progress = [&](std::string_view what) { line.show(what); },
                                .complaint =
                                    [&](std::string_view what) {
                                      line.clear();
                                      complain(what);
                                    }},
                               stop.signal());
  line.clear();
  const int signalled = stop.exit_status();
  if (results.entries.empty()) {
    // An older file says more.
    if (signalled == 0) complain("nothing was measured");
    return signalled != 0 ? signalled : failed;
  }
  fmt::print("{}", summary_of(results));
  int status = write_files(*files, results, page);
  if (measure::any_failed(results)) status = failed;
  if (signalled != 0) {
    complain("stopped; what was measured before is written");
    status = signalled;
  }
  return finish_output(status);
}

int write_again(const options& options) {
  const auto results = measure::read_results(options.from);
  if (!results) return complain(results.error());
  const auto list = measure::read_peers(list_of(options));
  if (!list) return complain(list.error());
  const std::string page = results->connections ? std::string() : empty_page(*list);
  const fs::path from(options.from);
  auto files = race_files::open(options.output.empty() ? from.parent_path() : fs::path(options.output),
                                from.stem().string(), !page.empty());
  if (!files) return complain(files.error());
  fmt::print("{}", summary_of(*results));
  return finish_output(write_files(*files, *results, page));
}

base::result<std::string> table_for(const marked_part& part, const measure::race_results& results,
                                    const fs::path& file) {
  if (part.what == part_kind::headline) {
    return results.connections ? connection_headline(results) : headline_table(results);
  }
  if (results.connections) return connection_short_table(results);
  return base::input_error(fmt::format("{} is not a race of connections", file.string()));
}

/// The index of the part that the results belong into.
base::result<std::size_t> part_for(const std::vector<marked_part>& parts, const measure::race_results& results) {
  const auto of_connections = std::ranges::find(parts, part_kind::connections, &marked_part::what);
  const auto headline = std::ranges::find(parts, part_kind::headline, &marked_part::what);
  const auto found = results.connections && of_connections != parts.end() ? of_connections : headline;
  if (found != parts.end()) return static_cast<std::size_t>(found - parts.begin());
  return base::input_error("the document has only a place for connections, and the results are of tasks");
}

/// The text with the table of `results`, which are from `file`, in the place of `part`.
base::result<std::string> with_table(const std::string& text, const marked_part& part,
                                     const measure::race_results& results, const fs::path& file,
                                     const fs::path& folder) {
  const auto table = table_for(part, results, file);
  if (!table) return std::unexpected(table.error());
  std::error_code ignored;
  const fs::path name = fs::relative(file, folder.empty() ? fs::path(".") : folder, ignored);
  return with_part(text, part, name.generic_string(), "\n" + *table + "\n");
}

/// The document with the tables of the files that it names, or with that of `from` in its place.
base::result<std::string> renewed(const std::string& text, const fs::path& document, const std::string& from) {
  const fs::path folder = document.parent_path();
  const auto parts = parts_of(text, document);
  if (!parts) return std::unexpected(parts.error());
  if (!from.empty()) {
    const auto results = measure::read_results(from);
    if (!results) return std::unexpected(results.error());
    const auto number = part_for(*parts, *results);
    if (!number) return std::unexpected(number.error());
    return with_table(text, (*parts)[*number], *results, from, folder);
  }
  std::string made = text;
  for (const marked_part& part : std::views::reverse(*parts)) {  // the last first: offsets stay valid
    const fs::path file = folder / part.results;
    const auto results = measure::read_results(file);
    if (!results) return std::unexpected(results.error());
    auto changed = with_table(made, part, *results, file, folder);
    if (!changed) return changed;
    made = *std::move(changed);
  }
  return made;
}

/// Puts tables of results into a document, or says whether they are there.
int update_readme(const options& options) {
  const fs::path document(options.readme);
  const auto text = base::read_text_file(document);
  if (!text) return complain(text.error());
  const auto made = renewed(*text, document, options.from);
  if (!made) return complain(made.error());
  if (options.check) {
    if (*made == *text) return done;
    const std::string results = options.from.empty() ? "the results that it names" : options.from;
    complain(fmt::format("{} does not agree with {}; run: tare race{} --readme {}", document.string(), results,
                         options.from.empty() ? "" : " --from " + options.from, document.string()));
    return failed;
  }
  auto output = output_file::open(options.readme);
  if (!output) return complain(output.error());
  if (const auto written = output->write(*made); !written) return complain(written.error());
  return done;
}

}  // namespace

std::function<int()> add_race(CLI::App& app) {
  CLI::App* race = app.add_subcommand("race", "Measure the same work on every runtime of a list");
  race->footer(
      "Usage:  tare race [OPTIONS]\n"
      "        tare race --connections [--kind NAME,...] [OPTIONS]\n"
      "        tare race --from FILE [--output FOLDER]\n"
      "        tare race [--from FILE] --readme DOCUMENT [--check]\n\n"
      "Writes FOLDER/<date>.json, the same as tables in Markdown, and, where ./setup --peers has built it, as a page\n"
      "with charts. ./setup --peers also installs what Debian and npm have of the runtimes.\n\n"
      "With --connections it weighs the connections of every server of bench/servers.toml in every kind that it\n"
      "speaks, with 1,000 and 5,000 of them, and writes FOLDER/<date>-connections.json and the tables.");
  auto chosen = std::make_shared<options>();
  auto* quick = race->add_flag("--quick", chosen->quick, "Fewer and smaller numbers, once: under 3 minutes");
  race->add_option("--peers", chosen->peers, "The list of runtimes or servers [bench/peers.toml, bench/servers.toml]");
  auto* connections = race->add_flag("--connections", chosen->connections, "Weigh connections of servers, not tasks");
  race->add_option("--kind", chosen->kinds,
                   "Only these kinds: http, https, websocket, websocket-tls, sse (event streams), long-poll, database")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(connections);
  race->add_option("--only", chosen->only, "Only these of the list")->delimiter(',')->allow_extra_args(false);
  race->add_option("--workload", chosen->workloads, "Only these workloads")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->excludes(connections);
  race->add_option("--n", chosen->counts, "Numbers of tasks or connections, in place of the usual ones")
      ->delimiter(',')
      ->check(a_count())
      ->allow_extra_args(false)
      ->excludes(quick);
  race->add_option("--repeats", chosen->repeats, "How often everything is measured [3, or 1 with --quick]")
      ->check(CLI::Range(1U, 100U));
  race->add_option("--timeout", chosen->time_limit, "Seconds to wait for each READY, or each response")
      ->check(a_time_limit())
      ->capture_default_str();
  race->add_option("--output", chosen->output, "The folder to write to [bench/results, from the list's root]");
  race->add_option("--from", chosen->from, "Measure nothing: write the tables and the page of this results file");
  auto* readme =
      race->add_option("--readme", chosen->readme, "Measure nothing: put the tables of results into this file");
  race->add_flag("--check", chosen->check, "Only say whether the tables in it are the right ones")->needs(readme);
  return [chosen] {
    std::ranges::sort(chosen->counts);
    const auto [first, last] = std::ranges::unique(chosen->counts);
    chosen->counts.erase(first, last);
    if (!chosen->readme.empty()) return update_readme(*chosen);
    return chosen->from.empty() ? run_race(*chosen) : write_again(*chosen);
  };
}

}  // namespace tare::cli
