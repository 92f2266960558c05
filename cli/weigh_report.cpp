#include "cli/weigh_report.hpp"

#include "base/proc/machine.hpp"
#include "cli/figures.hpp"
#include "cli/table.hpp"
#include "measure/weigh/figures_json.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <set>

namespace tare::cli {
namespace {

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string readable(std::chrono::nanoseconds time) { return readable_seconds(seconds(time)); }

/// "36.5 (36.4-36.6)"
std::string with_spread(const measure::slope& weight) {
  if (per_task(weight.lowest) == per_task(weight.highest)) return per_task(weight.median);
  return fmt::format("{} ({}-{})", per_task(weight.median), per_task(weight.lowest), per_task(weight.highest));
}

const measure::sample* point_at(const measure::summary& summary, std::uint64_t n) {
  const auto found = std::ranges::find(summary.points, n, &measure::sample::n);
  return found == summary.points.end() ? nullptr : &*found;
}

/// The kernel's bytes per connection.
std::string of_kernel(const std::optional<double>& slope) { return slope ? per_task(*slope) : "not readable"; }

/// A kind of connections that cannot be used again has no burst.
std::string after_burst(const measure::sample& point) { return point.burst == 0 ? "-" : megabytes(point.burst); }

/// Of the kernel, with the sign of the difference.
std::string growth(const std::optional<std::int64_t>& bytes) {
  if (!bytes) return "not readable";
  return (*bytes < 0 ? "-" : "") + megabytes(static_cast<std::uint64_t>(std::abs(*bytes)));
}

std::string times(double ratio) { return fmt::format("{:.{}f}", ratio, ratio < 10 ? 1 : 0); }

}  // namespace

std::string comparison_table(const weigh_report& report) {
  std::set<std::uint64_t> counts;
  for (const auto& program : report.programs) {
    for (const auto& run : program.runs) {
      for (const auto& sample : run) counts.insert(sample.n);
    }
  }
  if (counts.empty()) return {};
  const bool connections = report.programs.front().connections;
  std::vector<std::string> head{"program", "version", connections ? "bytes/connection" : "bytes/task"};
  for (const std::uint64_t n : counts) head.push_back("RSS at " + with_commas(n));
  if (connections) head.insert(head.end(), {"kernel", "after a burst", "after closing"});
  head.insert(head.end(), {connections ? "to open" : "to READY", "CPU"});

  table rows(std::move(head), 2);
  for (const auto& program : report.programs) {
    if (program.runs.empty()) continue;
    const measure::summary all = measure::summarize(program.runs);
    std::vector<std::string> row{program.name, program.version, all.weight ? with_spread(*all.weight) : "-"};
    for (const std::uint64_t n : counts) {
      const auto* point = point_at(all, n);
      row.push_back(point == nullptr ? "-" : megabytes(point->held.resident));
    }
    if (connections) {
      row.push_back(of_kernel(kernel_slope(all.points)));
      row.push_back(after_burst(all.points.back()));
      row.push_back(megabytes(all.points.back().closed));
    }
    row.push_back(readable(all.points.back().ready));
    row.push_back(readable(all.points.back().cpu));
    rows.add(std::move(row));
  }
  return rows.text() +
         fmt::format("\nMedians of {} run{}, in brackets the least and the most; MB are 1,000,000 bytes. {}\n",
                     report.runs, report.runs == 1 ? "" : "s",
                     connections ? "The burst, the closing and the times are those of the largest number. The "
                                   "kernel's bytes are for both ends of a connection."
                                 : "Times are those of a program's largest number of tasks.");
}

namespace {

std::string weight_line(const weighed_program& program, const measure::slope& weight, std::string_view unit) {
  return fmt::format("\n{}: {} bytes per {}, median of {} run{} ({}-{})\n", program.name, per_task(weight.median), unit,
                     program.runs.size(), program.runs.size() == 1 ? "" : "s", per_task(weight.lowest),
                     per_task(weight.highest));
}

std::string connections_table(const weighed_program& program, const measure::summary& all) {
  table rows({"connections", "RSS", "anonymous", "page tables", "kernel: slabs", "TCP buffers", "after a burst",
              "after closing", "to open", "CPU"},
             0);
  for (const auto& point : all.points) {
    rows.add({with_commas(point.n), megabytes(point.held.resident), megabytes(point.held.anonymous),
              megabytes(point.held.page_tables), growth(point.kernel.slab), growth(point.kernel.sockets),
              after_burst(point), megabytes(point.closed), readable(point.ready), readable(point.cpu)});
  }
  if (!all.weight) return rows.text();
  const auto kernel = kernel_slope(all.points);
  return rows.text() + weight_line(program, *all.weight, "idle connection") +
         (kernel ? fmt::format("The kernel holds {} bytes per connection for both ends.\n", per_task(*kernel))
                 : "The kernel's memory is not readable.\n");
}

}  // namespace

std::string program_table(const weighed_program& program) {
  if (program.runs.empty()) return {};
  const measure::summary all = measure::summarize(program.runs);
  if (program.connections) return connections_table(program, all);
  table rows({"tasks", "RSS", "PSS", "anonymous", "page tables", "peak", "to READY", "CPU"}, 0);
  for (const auto& point : all.points) {
    rows.add({with_commas(point.n), megabytes(point.held.resident), megabytes(point.held.proportional),
              megabytes(point.held.anonymous), megabytes(point.held.page_tables), megabytes(point.held.peak),
              readable(point.ready), readable(point.cpu)});
  }
  return rows.text() + (all.weight ? weight_line(program, *all.weight, "task") : "");
}

std::string conclusion(std::span<const weighed_program> programs) {
  const auto subject = std::ranges::find_if(programs, [](const auto& p) { return p.subject && !p.runs.empty(); });
  if (subject == programs.end()) return {};
  const measure::summary ours = measure::summarize(subject->runs);
  if (!ours.weight || ours.weight->median <= 0) return {};

  std::vector<std::string> compared;
  std::string crowd;
  for (const auto& other : programs) {
    if (other.subject || other.runs.empty()) continue;
    const measure::summary theirs = measure::summarize(other.runs);
    if (!theirs.weight || theirs.weight->median <= 0) continue;
    const double ratio = theirs.weight->median / ours.weight->median;
    const std::string weight = per_task(theirs.weight->median);
    compared.push_back(ratio >= 1
                           ? fmt::format("{} times less than in {} ({})", times(ratio), other.name, weight)
                           : fmt::format("{} times as much as in {} ({})", times(1 / ratio), other.name, weight));
    const auto& most = ours.points.back();
    const auto& fewer = theirs.points.back();
    if (!subject->connections && fewer.n < most.n && most.held.resident < fewer.held.resident) {
      crowd =
          fmt::format("; {} of them take {}, less than {} in {} ({})", with_commas(most.n),
                      megabytes(most.held.resident), with_commas(fewer.n), other.name, megabytes(fewer.held.resident));
    }
  }
  if (compared.empty()) return {};
  return fmt::format("{} weighs {} bytes in {}, {}{}.\n",
                     subject->connections ? "An idle connection" : "A suspended task", per_task(ours.weight->median),
                     subject->name, fmt::join(compared, ", "), crowd);
}

std::string to_json(const weigh_report& report) {
  using nlohmann::ordered_json;
  const base::machine machine = base::this_machine();
  ordered_json all{{"schema", 1},
                   {"machine",
                    {{"cpu", machine.cpu},
                     {"cores", machine.cores},
                     {"kernel", machine.kernel},
                     {"transparent_huge_pages", machine.transparent_huge_pages}}},
                   {"runs", report.runs},
                   {"results", ordered_json::array()}};
  for (const auto& program : report.programs) {
    const measure::summary found = measure::summarize(program.runs);
    ordered_json result{{"name", program.name}, {"version", program.version}};
    const auto or_null = [&](double measure::slope::* figure) {
      return found.weight ? ordered_json((*found.weight).*figure) : ordered_json();
    };
    result["slope_bytes"] = or_null(&measure::slope::median);
    result["slope_lowest_bytes"] = or_null(&measure::slope::lowest);
    result["slope_highest_bytes"] = or_null(&measure::slope::highest);
    result["base_rss_bytes"] = found.points.empty() ? ordered_json() : ordered_json(found.points.front().held.resident);
    if (program.problem) result["error"] = program.problem->message;
    result["points"] = ordered_json::array();
    for (const auto& point : found.points) {
      ordered_json figures = measure::figures_of(point);
      if (program.connections) figures["closed_rss_bytes"] = point.closed;
      result["points"].push_back(std::move(figures));
    }
    all["results"].push_back(std::move(result));
  }
  // A name or a message may hold bytes that are no UTF-8, as command lines may.
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

std::string to_csv(std::span<const weighed_program> programs) {
  // As RFC 4180 asks: in quotes, and quotes doubled.
  const auto quoted = [](std::string_view text) {
    std::string result = "\"";
    for (const char c : text) result += c == '"' ? std::string("\"\"") : std::string(1, c);
    return result + '"';
  };
  std::string text =
      "name,version,run,n,rss_bytes,pss_bytes,anonymous_bytes,page_table_bytes,peak_bytes,swapped_bytes,ready_seconds,"
      "cpu_seconds\n";
  for (const auto& program : programs) {
    for (std::size_t run = 0; run < program.runs.size(); ++run) {
      for (const auto& sample : program.runs[run]) {
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{:.6f},{:.6f}\n", quoted(program.name),
                            quoted(program.version), run + 1, sample.n, sample.held.resident, sample.held.proportional,
                            sample.held.anonymous, sample.held.page_tables, sample.held.peak, sample.held.swapped,
                            seconds(sample.ready), seconds(sample.cpu));
      }
    }
  }
  return text;
}

}  // namespace tare::cli
