#include "cli/race_tables.hpp"

#include "cli/figures.hpp"
#include "cli/markdown_table.hpp"
#include "cli/table.hpp"
#include "measure/race/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using measure::race_entry;
using measure::race_peer;
using measure::race_results;
using measure::sample;

constexpr std::array<std::string_view, 7> weighed{"empty",           "handler-at-read",  "handler-at-query",
                                                  "trimmed-at-read", "trimmed-at-query", "nested-at-leaf",
                                                  "nested-at-top"};

/// Nothing where it was not measured.
std::string weight_of(const race_results& results, const race_peer& peer, std::string_view workload) {
  const race_entry* entry = results.find(peer.name, workload);
  if (entry == nullptr) return "";
  if (!entry->failed.empty()) return "failed";
  return entry->weight ? per_task(entry->weight->median) : "";
}

std::optional<double> reported(const sample* point, std::string_view key) {
  if (point == nullptr) return std::nullopt;
  const auto found = point->reported.find(key);
  return found == point->reported.end() ? std::nullopt : std::optional(found->second);
}

std::string name_in_table(const race_peer& peer) {
  const std::string name = peer.floor ? fmt::format("*{}*", peer.title) : peer.title;
  return peer.subject ? fmt::format("**{}**", name) : name;
}

bool measured(const race_results& results, const race_peer& peer) {
  return std::ranges::any_of(results.entries, [&](const race_entry& entry) { return entry.peer == peer.name; });
}

/// Runtimes from the lightest sleeping task to the heaviest, then the floors.
std::vector<const race_peer*> in_order(const race_results& results) {
  std::vector<const race_peer*> peers;
  for (const auto& each : results.peers) {
    if (measured(results, each)) peers.push_back(&each);
  }
  const auto rank = [&](const race_peer* each) {
    const race_entry* asleep = results.find(each->name, "empty");
    const double weight =
        asleep != nullptr && asleep->weight ? asleep->weight->median : std::numeric_limits<double>::infinity();
    return std::tuple(each->floor, weight, each);
  };
  std::ranges::sort(peers, {}, rank);
  return peers;
}

std::string weights(const race_results& results) {
  markdown_table table({"bytes per task", "version", "asleep", "handler, at read", "at query", "trimmed, at read",
                        "at query", "eight deep, at leaf", "at top"});
  for (const race_peer* peer : in_order(results)) {
    std::vector<std::string> row{name_in_table(*peer), peer->version};
    for (const auto name : weighed) row.push_back(weight_of(results, *peer, name));
    if (std::ranges::any_of(row.begin() + 2, row.end(), [](const auto& cell) { return !cell.empty(); })) table.add(row);
  }
  return "## Bytes per suspended task\n\n" + table.text();
}

std::string memory_by_count(const race_results& results) {
  std::set<std::uint64_t> counts;
  for (const auto& entry : results.entries) {
    if (entry.workload != "empty") continue;
    for (const auto& point : entry.points) counts.insert(point.n);
  }
  if (counts.empty()) return "";
  std::vector<std::string> head{"RSS with so many asleep"};
  for (const auto n : counts) head.push_back(with_commas(n));
  markdown_table table(head);
  for (const race_peer* peer : in_order(results)) {
    const race_entry* entry = results.find(peer->name, "empty");
    if (entry == nullptr || entry->points.empty()) continue;
    std::vector<std::string> row{name_in_table(*peer)};
    for (const auto n : counts) {
      const sample* point = entry->at(n);
      row.push_back(point == nullptr ? "" : megabytes(point->held.resident));
    }
    table.add(row);
  }
  return "\n## Memory\n\n" + table.text();
}

std::string spawning(const race_results& results) {
  markdown_table table({"spawned until all sleep", "tasks", "time", "per task", "CPU of the process until then"});
  bool any = false;
  for (const race_peer* peer : in_order(results)) {
    const race_entry* entry = results.find(peer->name, "empty");
    if (entry == nullptr) continue;
    const sample* point = entry->at(1'000'000);
    if (point == nullptr && !entry->points.empty()) point = &entry->points.back();
    const auto seconds = reported(point, "spawn_seconds");
    if (!seconds || point->n < 2) continue;
    any = true;
    table.add({name_in_table(*peer), with_commas(point->n), readable_seconds(*seconds),
               readable_nanoseconds(*seconds * 1e9 / static_cast<double>(point->n)),
               readable_seconds(std::chrono::duration<double>(point->cpu).count())});
  }
  return any ? "\n## Time to spawn\n\n" + table.text() : "";
}

std::string mostly_ready(const race_results& results) {
  markdown_table table({"an await of which 99 in 100 are ready at once", "time", "allocations", "bytes allocated"});
  bool any = false;
  for (const race_peer* peer : in_order(results)) {
    const race_entry* entry = results.find(peer->name, "mostly-ready");
    if (entry == nullptr || entry->points.empty()) continue;
    const sample& point = entry->points.back();
    const auto seconds = reported(&point, "seconds");
    if (!seconds) continue;
    any = true;
    const auto run = [&](std::string_view key) {
      const auto value = reported(&point, key);
      return value ? fmt::format("{:.3f}", *value / static_cast<double>(point.n)) : std::string();
    };
    table.add({name_in_table(*peer), readable_nanoseconds(*seconds * 1e9 / static_cast<double>(point.n)),
               run("allocations"), run("allocated_bytes")});
  }
  return any ? "\n## Often synchronous\n\n" + table.text() : "";
}

std::string churn(const race_results& results) {
  markdown_table table(
      {"short tasks beside 100,000 asleep", "tasks", "per task", "RSS before", "peak", "RSS after", "change"});
  bool any = false;
  for (const race_peer* peer : in_order(results)) {
    const race_entry* entry = results.find(peer->name, "churn");
    if (entry == nullptr || entry->points.size() < 2) continue;
    const sample& before = entry->points.front();
    const sample& after = entry->points.back();
    const auto seconds = reported(&after, "seconds");
    if (before.n != 0 || !seconds || before.held.resident == 0) continue;
    any = true;
    const double change = static_cast<double>(after.held.resident) / static_cast<double>(before.held.resident) - 1;
    table.add({name_in_table(*peer), with_commas(after.n),
               readable_nanoseconds(*seconds * 1e9 / static_cast<double>(after.n)), megabytes(before.held.resident),
               megabytes(after.held.peak), megabytes(after.held.resident), fmt::format("{:+.0f} %", change * 100)});
  }
  return any ? "\n## Churn\n\n" + table.text() : "";
}

std::string remarks(const race_results& results) {
  std::string text;
  for (const auto& peer : results.peers) {
    if (!peer.absent.empty()) text += fmt::format("- {}: left out: {}\n", peer.title, peer.absent);
    if (!peer.failed.empty()) text += fmt::format("- {}: **failed**: {}\n", peer.title, peer.failed);
  }
  for (const auto& entry : results.entries) {
    const race_peer* peer = results.find(entry.peer);
    const std::string_view title = peer == nullptr ? std::string_view(entry.peer) : std::string_view(peer->title);
    if (!entry.failed.empty()) text += fmt::format("- {} in {}: **failed**: {}\n", title, entry.workload, entry.failed);
    for (const auto& note : entry.notes) text += fmt::format("- {} in {}: {}\n", title, entry.workload, note);
  }
  return text.empty() ? "" : "\n## Not measured\n\n" + text;
}

}  // namespace

std::string race_tables(const race_results& results) {
  std::string text = fmt::format(
      "# Race of {}\n\n{}, {} cores, {}, transparent huge pages: {}. Commit {}. Medians of {} repeat{}{}.\n\n",
      results.date, results.where.cpu, results.where.cores, results.where.kernel, results.where.transparent_huge_pages,
      results.commit.empty() ? "unknown" : results.commit, results.repeats, results.repeats == 1 ? "" : "s",
      results.quick ? ", quick" : "");
  text += weights(results) + memory_by_count(results) + spawning(results) + mostly_ready(results) + churn(results) +
          remarks(results);
  return text;
}

std::string headline_table(const race_results& results) {
  markdown_table table({"bytes per suspended task", "asleep", "handler, at read", "at query", "trimmed, at query",
                        "eight deep", "a million spawned in"});
  for (const race_peer* peer : in_order(results)) {
    const race_entry* asleep = results.find(peer->name, "empty");
    if (peer->floor || asleep == nullptr || !asleep->weight) continue;
    const auto seconds = reported(asleep->at(1'000'000), "spawn_seconds");
    table.add({fmt::format("{} {}", name_in_table(*peer), peer->version), weight_of(results, *peer, "empty"),
               weight_of(results, *peer, "handler-at-read"), weight_of(results, *peer, "handler-at-query"),
               weight_of(results, *peer, "trimmed-at-query"), weight_of(results, *peer, "nested-at-leaf"),
               seconds ? readable_seconds(*seconds) : ""});
  }
  return table.text();
}

std::string race_summary(const race_results& results) {
  table rows({"runtime", "asleep", "at read", "at query", "trimmed: read", "query", "deep: leaf", "top", "spawn"}, 1);
  for (const race_peer* peer : in_order(results)) {
    std::vector<std::string> row{peer->title};
    for (const auto name : weighed) {
      const std::string cell = weight_of(results, *peer, name);
      row.push_back(cell.empty() ? "-" : cell);
    }
    const race_entry* asleep = results.find(peer->name, "empty");
    const auto* last = asleep == nullptr || asleep->points.empty() ? nullptr : &asleep->points.back();
    const auto seconds = reported(last, "spawn_seconds");
    row.push_back(seconds && last->n > 1 ? readable_nanoseconds(*seconds * 1e9 / static_cast<double>(last->n)) : "-");
    rows.add(std::move(row));
  }
  return rows.text() + "\nBytes per suspended task; the last column is the time to spawn one.\n";
}

}  // namespace tare::cli
