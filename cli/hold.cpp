#include "cli/hold.hpp"

#include "base/proc/cpu_time.hpp"
#include "cli/error.hpp"
#include "cli/figures.hpp"
#include "cli/numbers.hpp"
#include "cli/output_file.hpp"
#include "cli/progress.hpp"
#include "cli/stop_request.hpp"
#include "cli/table.hpp"
#include "load/closed_loop.hpp"
#include "load/crowd.hpp"
#include "load/descriptor_limit.hpp"
#include "load/until_stopped.hpp"

#include <tare/sleep.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sys/types.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using nlohmann::ordered_json;

struct hold_options {
  std::string url;
  std::size_t connections = 1000;
  std::size_t at_a_time = 256;
  unsigned sources = 1;
  unsigned status = 200;
  double seconds = 10;
  double time_limit = 10;
  bool load = false;
  bool insecure = false;
  double rate = 0;
  pid_t pid = 0;  // of the server; 0: unknown
  std::string json;
};

std::chrono::nanoseconds nanoseconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

double in_seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string readable(std::chrono::nanoseconds time) {
  const double s = in_seconds(time);
  if (s >= 1) return fmt::format("{:.2f} s", s);
  return s >= 1e-3 ? fmt::format("{:.2f} ms", s * 1e3) : fmt::format("{:.0f} us", s * 1e6);
}

/// The result, as text and as JSON.
struct account {
  std::string text;
  ordered_json figures{{"schema", 1}};
  std::optional<base::error> problem;
};

std::string sentence(const load::tally& all, std::string_view done, std::chrono::nanoseconds time) {
  std::string text = fmt::format("{} of {} {} in {}\n", with_commas(all.succeeded),
                                 with_commas(all.succeeded + all.failed), done, readable(time));
  return text;
}

base::error problem_of(const load::tally& all, std::string_view when) {
  return {base::fault::command, fmt::format("{} of {} connections failed {}; the first: {}", with_commas(all.failed),
                                            with_commas(all.succeeded + all.failed), when, all.first)};
}

task<account> hold(const hold_options& options, const load::target& what, progress& shown) {
  account result;
  load::crowd all(
      what,
      {.at_a_time = options.at_a_time, .sources = options.sources, .time_limit = nanoseconds(options.time_limit)});
  const auto show = [&shown, total = options.connections](std::string_view doing) {
    return [&shown, total, doing](std::size_t done) {
      if (done % 256 == 0) shown.show(fmt::format("{}: {} of {}", doing, with_commas(done), with_commas(total)));
    };
  };

  const auto began = now();
  const load::tally opened = co_await all.open(options.connections, show("opening"));
  const auto opening = now() - began;
  result.text = sentence(opened, "connections opened and answered", opening);
  result.figures["opened"] = opened.succeeded;
  result.figures["open_seconds"] = in_seconds(opening);
  if (opened.failed != 0) result.problem = problem_of(opened, "to open");

  load::tally again;
  if (all.size() != 0) {
    for (auto left = nanoseconds(options.seconds); left.count() > 0; left -= std::chrono::seconds(1)) {
      shown.show(fmt::format("holding {} connections: {:.0f} s left", with_commas(all.size()), in_seconds(left)));
      co_await sleep_for(std::min<std::chrono::nanoseconds>(left, std::chrono::seconds(1)));
    }
    const auto asking = now();
    again = co_await all.ask_all(show("asking again"));
    result.text += sentence(again, fmt::format("responded again after {} s", options.seconds), now() - asking);
    if (again.failed != 0) result.problem = problem_of(again, "at the second request");
  }
  result.figures["held_seconds"] = options.seconds;
  result.figures["answered_again"] = again.succeeded;
  result.figures["failed"] = opened.failed + again.failed;
  co_return result;
}

/// The CPU time that the server has used so far; 0 without --pid.
std::chrono::nanoseconds server_cpu(const hold_options& options) {
  return options.pid == 0 ? std::chrono::nanoseconds(0) : base::read_cpu_time(std::vector{options.pid});
}

task<account> drive(const hold_options& options, const load::target& what, progress& shown) {
  account result;
  shown.show(fmt::format("{} connections for {} s", with_commas(options.connections), options.seconds));
  const auto cpu_before = server_cpu(options);
  const load::closed_loop_result found = co_await load::drive(what, {.connections = options.connections,
                                                                     .time = nanoseconds(options.seconds),
                                                                     .rate = options.rate,
                                                                     .sources = options.sources,
                                                                     .time_limit = nanoseconds(options.time_limit)});
  if (found.opened.failed != 0) {
    result.problem = problem_of(found.opened, "to open");
    co_return result;
  }
  const auto cpu = server_cpu(options) - cpu_before;
  if (found.exchanges.failed != 0) result.problem = problem_of(found.exchanges, "under load");
  const double rate = static_cast<double>(found.answered->count()) / in_seconds(found.time);
  result.text = fmt::format("{} requests in {}: {} per second\n", with_commas(found.answered->count()),
                            readable(found.time), with_commas(static_cast<std::uint64_t>(rate)));
  if (options.pid != 0 && found.answered->count() != 0) {
    const double each = in_seconds(cpu) / static_cast<double>(found.answered->count());
    result.text += fmt::format("the server took {:.2f} us of CPU time per request\n", each * 1e6);
    result.figures["server_cpu_seconds_per_request"] = each;
  }
  result.text += "\n";
  result.figures["requests"] = found.answered->count();
  result.figures["failed"] = found.exchanges.failed;
  result.figures["seconds"] = in_seconds(found.time);
  result.figures["requests_per_second"] = rate;
  // From the time that each request was due, or else only from when it was sent.
  const bool corrected = options.rate > 0;
  result.figures["corrected_for_coordinated_omission"] = corrected;
  table rows({corrected ? "from due to answered" : "from sent to answered", "latency"}, 1);
  ordered_json percentiles;
  for (const auto& [name, share] : {std::pair("50", 0.5), std::pair("90", 0.9), std::pair("99", 0.99),
                                    std::pair("99.9", 0.999), std::pair("99.99", 0.9999)}) {
    const auto latency = found.answered->percentile(share);
    rows.add({fmt::format("{} %", name), readable(latency)});
    percentiles[name] = in_seconds(latency);
  }
  rows.add({"longest", readable(found.answered->longest())});
  percentiles["100"] = in_seconds(found.answered->longest());
  result.text += rows.text();
  result.figures["latency_seconds"] = std::move(percentiles);
  co_return result;
}

int run(const hold_options& options) {
  if (options.pid != 0 && ::kill(options.pid, 0) != 0 && errno == ESRCH) {
    return complain(base::error{base::fault::input, fmt::format("process {} does not exist", options.pid)});
  }
  auto what = load::parse_target(options.url, !options.insecure);
  if (!what) return complain(what.error());
  what->status = options.status;
  auto opened = output_file::open_if_named(options.json);
  if (!opened) return complain(opened.error());
  auto& json = *opened;
  if (const auto raised = load::raise_descriptor_limit(options.connections); !raised) return complain(raised.error());

  stop_request stop;
  progress shown;
  auto result =
      load::run_until_stopped(options.load ? drive(options, *what, shown) : hold(options, *what, shown), stop.signal());
  shown.clear();
  if (!result) {
    complain("stopped; all connections are closed");
    return stop.exit_status() != 0 ? stop.exit_status() : complain(result.error());
  }
  int status = done;
  const auto write = [&status](output_file& to, std::string_view text) {
    if (const auto written = to.write(text); !written) status = complain(written.error());
  };
  if (!json || !json->is_standard_output()) {
    auto screen = output_file::standard_output();
    write(screen, result->text);
  }
  if (json) write(*json, result->figures.dump(2) + '\n');
  if (result->problem) status = complain(*result->problem);
  return finish_output(status);
}

}  // namespace

std::function<int()> add_hold(CLI::App& app) {
  CLI::App* hold = app.add_subcommand("hold", "Hold many connections to a server open, or put it under load");
  hold->footer(
      "Usage:  tare hold [OPTIONS] http[s]://HOST[:PORT]/PATH\n\n"
      "Opens the connections, sends a request on each and checks the response, keeps them idle, sends another, and "
      "closes\n"
      "them. With --load, each connection sends requests continuously instead, and latencies are printed.");
  auto options = std::make_shared<hold_options>();
  hold->add_option("url", options->url, "The resource to request with GET")->required();
  auto* connections =
      hold->add_option("--connections", options->connections, "The number of connections; with --load 64")
          ->check(CLI::Range(std::size_t{1}, std::size_t{10'000'000}))
          ->capture_default_str();
  hold->add_flag("--insecure", options->insecure, "With https, accept any certificate");
  hold->add_option("--seconds", options->seconds, "How long the connections are held, or the load lasts")
      ->check(a_time_limit())
      ->capture_default_str();
  hold->add_option("--at-a-time", options->at_a_time,
                   "The maximum number of connections that open or wait for a response at a time")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}))
      ->capture_default_str();
  hold->add_option("--sources", options->sources,
                   "The number of loopback addresses to connect from, for 28,000 connections each")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  hold->add_option("--status", options->status, "The expected status of responses")
      ->check(CLI::Range(200U, 599U))
      ->capture_default_str();
  hold->add_option("--timeout", options->time_limit,
                   "Seconds within which a connection must open and a response must arrive")
      ->check(a_time_limit())
      ->capture_default_str();
  auto* load = hold->add_flag("--load", options->load, "Send requests continuously on each connection");
  hold->add_option("--rate", options->rate, "Requests per second over all connections; 0: as many as possible")
      ->check(CLI::Range(0.0, 1e9))
      ->needs(load)
      ->capture_default_str();
  hold->add_option("--pid", options->pid, "The server's process: report the CPU time it uses per request")
      ->check(CLI::PositiveNumber)
      ->needs(load);
  hold->add_option("--json", options->json, "Write the figures to this file; - is standard output");
  return [options, connections] {
    if (options->load && connections->empty()) options->connections = 64;
    return run(*options);
  };
}

}  // namespace tare::cli
