#include "cli/weigh.hpp"

#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/numbers.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/stop_request.hpp"
#include "cli/weigh_report.hpp"
#include "load/descriptor_limit.hpp"
#include "load/race_connections.hpp"
#include "load/weigh_connections.hpp"
#include "measure/weigh/connection_kind.hpp"
#include "measure/weigh/peers.hpp"
#include "measure/weigh/prepare.hpp"
#include "measure/weigh/weigh.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

struct options {
  std::vector<std::uint64_t> counts{1, 100'000, 1'000'000};
  unsigned runs = 3;
  double time_limit = 60;  // seconds
  std::string name;
  std::string peers;
  std::vector<std::string> only;
  bool no_max_n = false;
  bool connections = false;
  std::string kind = "http";
  bool tls = false;
  std::string path = "/";
  std::string release;
  std::string database;
  std::string json;
  std::string csv;
  std::vector<std::string> command;
};

/// A program to be weighed: what is found of it, and how.
struct subject {
  weighed_program found;
  measure::command program;
  measure::command database;
  std::optional<std::uint64_t> max_n;
};

constexpr std::string_view default_workload = "empty";

class weighing_session {
 public:
  explicit weighing_session(const options& options)
      : asked_(options),
        time_limit_(
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(options.time_limit))) {}

  int run();

 private:
  base::result<void> choose();
  void take_peer(measure::peer peer, const std::filesystem::path& root);
  void prepare(subject& subject, const measure::peer& peer, const std::filesystem::path& root);
  void measure();
  void measure(subject& subject, unsigned run);
  void report(std::optional<output_file>& json, std::optional<output_file>& csv);
  [[nodiscard]] bool stopped() { return stop_.exit_status() != 0; }

  const options& asked_;
  std::chrono::nanoseconds time_limit_;
  measure::connection_kind kind_ = measure::connection_kind::http;
  stop_request stop_;
  progress progress_;
  std::vector<subject> subjects_;
  int status_ = done;
};

base::result<void> weighing_session::choose() {
  if (asked_.connections) {
    const auto kind = measure::parse_connection_kind(asked_.kind);
    if (!kind) return std::unexpected(kind.error());
    kind_ = *kind;
    if (asked_.tls && kind_ == measure::connection_kind::http) kind_ = measure::connection_kind::https;
    if (asked_.tls && kind_ == measure::connection_kind::websocket) kind_ = measure::connection_kind::websocket_tls;
  }
  if (asked_.peers.empty()) {
    subject subject;
    subject.program = {asked_.command, {}};
    subject.found.connections = asked_.connections;
    subject.found.name =
        asked_.name.empty() ? std::filesystem::path(asked_.command.front()).filename().string() : asked_.name;
    if (asked_.connections && !subject.program.takes_port()) {
      return base::input_error(
          "the command has no {port} where the port to listen on goes; for instance: tare weigh --connections -- "
          "./server --listen 127.0.0.1:{port}");
    }
    if (kind_ == measure::connection_kind::database) {
      if (asked_.database.empty()) return base::input_error("--kind database needs --database, or --peers");
      subject.database = measure::shell_command("exec " + asked_.database);
      if (!subject.database.takes_port()) {
        return base::input_error("--database has no {port}: where the database is told to lock and to release");
      }
    }
    if (!asked_.connections && !subject.program.takes_count()) {
      return base::input_error(
          "the command has no {n} where the number of tasks goes; for instance: tare weigh -- "
          "./server --connections {n}");
    }
    subjects_.push_back(std::move(subject));
    return {};
  }
  auto list = measure::read_peers(asked_.peers);
  if (!list) return std::unexpected(list.error());
  auto chosen = measure::select_peers(*list, asked_.only);
  if (!chosen) return std::unexpected(chosen.error());
  for (auto& peer : *chosen) {
    if (stopped()) break;
    const bool fits = asked_.connections ? peer.speaks(kind_) : peer.has_workload(default_workload);
    if (fits) {
      take_peer(std::move(peer), list->root);
    } else if (asked_.connections && peer.is_server() && !asked_.only.empty()) {
      return base::input_error(fmt::format("{}: the server '{}' does not speak {}; it speaks: {}", asked_.peers,
                                           peer.name, measure::name_of(kind_), measure::names_of(peer.kinds)));
    }
  }
  if (subjects_.empty() && !stopped()) {
    return base::input_error(
        fmt::format("{}: none of the peers {}", asked_.peers,
                    asked_.connections
                        ? fmt::format("is a server, with a {{port}} in 'run', that speaks {}", measure::name_of(kind_))
                        : "has the workload of tasks that sleep"));
  }
  return {};
}

void weighing_session::take_peer(measure::peer peer, const std::filesystem::path& root) {
  subject subject;
  subject.found.name = peer.name;
  subject.found.subject = peer.subject;
  subject.found.connections = asked_.connections;
  subject.program = asked_.connections ? peer.server(kind_, root) : peer.program(default_workload, root);
  if (asked_.connections) subject.database = peer.database_for(kind_, root);
  if (!asked_.no_max_n) subject.max_n = peer.limit(default_workload);
  if (const auto need = measure::missing_need(peer, root, stop_.signal())) {
    // Not an error: nobody has every toolchain.
    fmt::print(stderr, "tare: {} is left out: {}\n", peer.name, need->text());
    subject.found.problem = base::error{base::fault::command, fmt::format("left out: {}", need->text())};
  } else {
    prepare(subject, peer, root);
  }
  subjects_.push_back(std::move(subject));
}

void weighing_session::prepare(subject& subject, const measure::peer& peer, const std::filesystem::path& root) {
  auto version = measure::prepare(peer, root, stop_.signal(), [&](std::string_view what) {
    progress_.show(fmt::format("{}: {}", peer.name, what));
  });
  progress_.clear();
  if (version) {
    subject.found.version = std::move(*version);
    return;
  }
  subject.found.problem = version.error();
  if (version.error().kind == base::fault::interrupted) return;
  status_ = complain(base::error{version.error().kind, fmt::format("{}: {}", peer.name, version.error().message)});
}

void weighing_session::measure() {
  // Program after program in each run, so that what slows the machine for a while does not hit one of them alone.
  for (unsigned run = 1; run <= asked_.runs; ++run) {
    for (auto& each : subjects_) {
      if (!each.found.problem && !stopped()) measure(each, run);
    }
  }
}

void weighing_session::measure(subject& subject, unsigned run) {
  measure::weighing what{.program = subject.program, .counts = asked_.counts, .time_limit = time_limit_};
  std::erase_if(what.counts, [&](std::uint64_t n) { return subject.max_n && n > *subject.max_n; });
  const auto show = [&](std::uint64_t n) {
    progress_.show(fmt::format("run {} of {}: {} with n = {}", run, asked_.runs, subject.found.name, with_commas(n)));
  };
  const std::string release = asked_.release.empty() && !asked_.peers.empty() ? load::release_path : asked_.release;
  auto measured = subject.found.connections ? load::weigh_connections({.program = what.program,
                                                                       .counts = what.counts,
                                                                       .kind = kind_,
                                                                       .tls = asked_.tls,
                                                                       .path = asked_.path,
                                                                       .release = release,
                                                                       .database = subject.database,
                                                                       .time_limit = time_limit_},
                                                                      stop_.signal(), show)
                                            : measure::weigh(what, stop_.signal(), show);
  progress_.clear();
  if (!measured.samples.empty()) subject.found.runs.push_back(std::move(measured.samples));
  if (!measured.failed) return;
  subject.found.problem = measured.failed;
  if (measured.failed->kind == base::fault::interrupted) return;
  status_ = complain(base::error{measured.failed->kind, asked_.peers.empty() ? measured.failed->message
                                                                             : fmt::format("{}: {}", subject.found.name,
                                                                                           measured.failed->message)});
}

void weighing_session::report(std::optional<output_file>& json, std::optional<output_file>& csv) {
  // One place that cannot be written does not keep the results from the others.
  const auto write = [this](output_file& to, std::string_view text) {
    if (const auto written = to.write(text); !written) status_ = complain(written.error());
  };
  weigh_report all{.programs = {}, .runs = asked_.runs};
  for (auto& each : subjects_) all.programs.push_back(std::move(each.found));

  const bool standard_output_taken = (json && json->is_standard_output()) || (csv && csv->is_standard_output());
  if (!standard_output_taken) {
    std::string text = asked_.peers.empty() ? program_table(all.programs.front()) : comparison_table(all);
    if (!asked_.peers.empty()) {
      if (const std::string sentence = conclusion(all.programs); !sentence.empty()) text += "\n" + sentence;
    }
    auto screen = output_file::standard_output();
    write(screen, text);
  }
  // Stopped before anything was measured: an older file says more.
  if (stopped() && std::ranges::all_of(all.programs, [](const auto& each) { return each.runs.empty(); })) return;
  if (json) write(*json, to_json(all));
  if (csv) write(*csv, to_csv(all.programs));
}

int weighing_session::run() {
  std::optional<output_file> json;
  std::optional<output_file> csv;
  for (const auto& [path, file] : {std::pair(&asked_.json, &json), std::pair(&asked_.csv, &csv)}) {
    if (path->empty()) continue;
    auto opened = output_file::open(*path);
    if (!opened) return complain(opened.error());
    file->emplace(std::move(*opened));
  }
  if (const auto chosen = choose(); !chosen) return complain(chosen.error());
  if (asked_.connections) {
    if (const auto raised = load::raise_descriptor_limit(asked_.counts.back()); !raised)
      return complain(raised.error());
  }
  measure();
  report(json, csv);
  if (const int signalled = stop_.exit_status(); signalled != 0) {
    complain("stopped; what is shown was measured before");
    status_ = signalled;
  }
  return finish_output(status_);
}

}  // namespace

std::function<int()> add_weigh(CLI::App& app) {
  CLI::App* weigh = app.add_subcommand("weigh", "Measure the bytes that one suspended task of a program takes");
  weigh->footer(
      "Usage:  tare weigh [OPTIONS] -- COMMAND... {n}\n"
      "        tare weigh [OPTIONS] --peers FILE [--only NAME,...]\n"
      "        tare weigh [OPTIONS] --connections -- SERVER... {port}\n"
      "        tare weigh [OPTIONS] --connections --peers FILE [--only NAME,...]\n\n"
      "The command is started with each number of tasks in the place of {n}. When all its tasks are suspended it\n"
      "prints a line READY to its standard output; then the memory of it and its children is read, and they are\n"
      "ended.\n\n"
      "With --connections the numbers are of idle connections: the server is started with a free port of 127.0.0.1\n"
      "in the place of {port}; each connection is used a little, as its kind says, and then rests.");
  auto chosen = std::make_shared<options>();
  auto* counts = weigh->add_option("--n", chosen->counts, "Numbers of tasks; of connections, 1000,15000");
  counts->delimiter(',')->check(a_count())->allow_extra_args(false)->capture_default_str();
  weigh->add_option("--runs", chosen->runs, "How often everything is measured")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  weigh->add_option("--timeout", chosen->time_limit, "Seconds to wait for each READY")
      ->check(a_time_limit())
      ->capture_default_str();
  auto* peers =
      weigh->add_option("--peers", chosen->peers,
                        "A list of programs to compare, such as bench/peers.toml, or of servers, bench/servers.toml");
  weigh->add_option("--only", chosen->only, "Only these of the list")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(peers);
  auto* connections = weigh->add_flag("--connections", chosen->connections,
                                      "Weigh idle connections of a server, or of those of a list");
  weigh
      ->add_option("--kind", chosen->kind,
                   "Of the connections: http, https, websocket, websocket-tls, sse (an event stream), long-poll, or\n"
                   "database (a request that waits for one)")
      ->needs(connections)
      ->capture_default_str();
  weigh
      ->add_option("--release", chosen->release,
                   "Of long polls: what is asked for to make the server answer all; of a list, /release")
      ->needs(connections);
  weigh
      ->add_option("--database", chosen->database,
                   "Of requests that wait for a database: the shell command that starts it, with {port}")
      ->needs(connections)
      ->excludes(peers);
  weigh->add_flag("--tls", chosen->tls, "Over TLS; the certificate is not verified")->needs(connections);
  weigh->add_option("--path", chosen->path, "What is asked for on each connection; the answer must be 200")
      ->needs(connections)
      ->capture_default_str();
  weigh->add_flag("--no-max-n", chosen->no_max_n, "Also larger numbers of tasks than the list allows")->needs(peers);
  weigh->add_option("--json", chosen->json, "Write the results to this file; - is standard output");
  weigh->add_option("--csv", chosen->csv, "Write every sample to this file; - is standard output");
  auto* command = weigh->add_option("command", chosen->command, "The program to weigh, and its arguments, after --");
  weigh->add_option("--name", chosen->name, "What to call the program in the results")->excludes(peers);
  command->excludes(peers);
  return [chosen, counts] {
    if (chosen->connections && counts->empty()) chosen->counts = {1000, 15'000};
    if (chosen->command.empty() && chosen->peers.empty()) {
      return complain(
          base::error{base::fault::input, "weigh needs a command after --, or --peers FILE; see tare weigh --help"});
    }
    if (chosen->json == "-" && chosen->csv == "-") {
      return complain(base::error{base::fault::input, "--json and --csv cannot both go to standard output"});
    }
    std::ranges::sort(chosen->counts);
    const auto [first, last] = std::ranges::unique(chosen->counts);
    chosen->counts.erase(first, last);
    return weighing_session(*chosen).run();
  };
}

}  // namespace tare::cli
