#include "cli/connection_tables.hpp"

#include "cli/figures.hpp"
#include "cli/markdown_table.hpp"
#include "cli/table.hpp"
#include "measure/weigh/connection_kind.hpp"
#include "measure/weigh/summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::cli {
namespace {

using measure::connection_kind;
using measure::race_entry;
using measure::race_peer;
using measure::race_results;

constexpr std::string_view not_spoken = "–";

/// The kinds that any server was measured in.
std::vector<connection_kind> kinds_in(const race_results& results) {
  std::vector<connection_kind> kinds;
  for (const auto kind : measure::connection_kinds()) {
    if (std::ranges::find(results.entries, measure::name_of(kind), &race_entry::workload) != results.entries.end()) {
      kinds.push_back(kind);
    }
  }
  return kinds;
}

bool was_measured(const race_results& results, const race_peer& server) {
  return std::ranges::find(results.entries, server.name, &race_entry::peer) != results.entries.end();
}

/// A row for each server that was measured; `cell` says what an entry without a failure shows.
std::string by_kind(const race_results& results, std::string_view corner,
                    const std::function<std::string(const race_entry&)>& cell,
                    const std::function<bool(const race_results&, const race_peer&)>& is_shown = was_measured) {
  const auto kinds = kinds_in(results);
  std::vector<std::string> head{std::string(corner)};
  for (const auto kind : kinds) head.emplace_back(measure::title_of(kind));
  markdown_table table(head);
  for (const auto& server : results.peers) {
    if (!is_shown(results, server)) continue;
    std::string name = server.version.empty() ? server.title : fmt::format("{} {}", server.title, server.version);
    if (server.subject) name = fmt::format("**{}**", name);
    std::vector<std::string> row{std::move(name)};
    for (const auto kind : kinds) {
      const race_entry* entry = results.find(server.name, measure::name_of(kind));
      row.push_back(entry == nullptr         ? std::string(not_spoken)
                    : !entry->failed.empty() ? std::string("failed")
                    : entry->points.empty()  ? std::string(not_spoken)
                                             : cell(*entry));
    }
    table.add(row);
  }
  return table.text();
}

std::string weight_of(const race_entry& entry) {
  return entry.weight ? per_task(entry.weight->median) : std::string("one count");
}

std::string with_spread(const race_entry& entry) {
  if (!entry.weight) return "one count";
  const auto& weight = *entry.weight;
  if (per_task(weight.lowest) == per_task(weight.highest)) return per_task(weight.median);
  return fmt::format("{} ({} to {})", per_task(weight.median), per_task(weight.lowest), per_task(weight.highest));
}

std::string kernel_of(const race_entry& entry) {
  const auto kernel = measure::kernel_slope(entry.points);
  return kernel ? per_task(*kernel) : "not readable";
}

std::string memory_of(const race_entry& entry) {
  const auto& last = entry.points.back();
  return fmt::format("{} → {}", megabytes(last.held.resident), megabytes(last.closed));
}

std::string time_of(const race_entry& entry) {
  const auto& last = entry.points.back();
  const double each = static_cast<double>(last.cpu.count()) / static_cast<double>(last.n);
  return readable_nanoseconds(each);
}

/// Within a table.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

/// What a program has printed.
std::string as_code(std::string_view text) {
  return text.contains('`') ? escaped(text) : fmt::format("`{}`", escaped(text));
}

/// Why there are cells without a number, as a table; empty if there are none.
std::string remarks(const race_results& results) {
  markdown_table table({"not measured", "why"});
  bool any = false;
  const auto add = [&](std::string_view what, std::string_view why) {
    any = any || !why.empty();
    if (!why.empty()) table.add({escaped(what), as_code(why)});
  };
  for (const auto& server : results.peers) {
    add(server.title, server.absent);
    add(server.title, server.failed);
  }
  for (const auto& entry : results.entries) {
    const race_peer* server = results.find(entry.peer);
    add(fmt::format("{}, `{}`", server == nullptr ? entry.peer : server->title, entry.workload), entry.failed);
  }
  return any ? table.text() : "";
}

std::vector<std::uint64_t> counts_in(const race_results& results) {
  std::vector<std::uint64_t> counts;
  for (const auto& entry : results.entries) {
    for (const auto& point : entry.points) counts.push_back(point.n);
  }
  std::ranges::sort(counts);
  const auto [first, last] = std::ranges::unique(counts);
  counts.erase(first, last);
  return counts;
}

std::string counts_text(const race_results& results) {
  std::vector<std::string> texts;
  for (const auto n : counts_in(results)) texts.push_back(with_commas(n));
  return fmt::format("{}", fmt::join(texts, " and "));
}

}  // namespace

std::string connection_headline(const race_results& results) {
  const std::string notes = remarks(results);
  return by_kind(results, "bytes of the process per connection", weight_of) + (notes.empty() ? "" : "\n" + notes);
}

std::string connection_short_table(const race_results& results) {
  const auto waits_for_database = [](const race_results& all, const race_peer& server) {
    return all.find(server.name, measure::name_of(connection_kind::database)) != nullptr;
  };
  return by_kind(results, "bytes of the process per connection", weight_of, waits_for_database);
}

std::string connection_tables(const race_results& results) {
  std::string text = fmt::format(
      "# Connections, {}\n\n{}, {} cores, {}, transparent huge pages: {}. Commit {}. Medians of {} repeat{}{}, with {} "
      "connections. docs/connections.md says what the figures mean.\n\n",
      results.date, results.where.cpu, results.where.cores, results.where.kernel, results.where.transparent_huge_pages,
      results.commit.empty() ? "unknown" : results.commit, results.repeats, results.repeats == 1 ? "" : "s",
      results.quick ? ", quick" : "", counts_text(results));
  text += "## The process\n\n" + by_kind(results, "bytes per connection", with_spread);
  text += "\n## The kernel, for both ends\n\n" + by_kind(results, "bytes per connection", kernel_of);
  text += "\n## RSS with the most connections, and after they were closed\n\n" + by_kind(results, "RSS", memory_of);
  text += "\n## CPU time of the server to open a connection\n\n" + by_kind(results, "per connection", time_of);
  if (const std::string notes = remarks(results); !notes.empty()) text += "\n## Not measured\n\n" + notes;
  return text;
}

std::string connection_summary(const race_results& results) {
  const auto kinds = kinds_in(results);
  std::vector<std::string> head{"server"};
  for (const auto kind : kinds) head.emplace_back(measure::title_of(kind));
  table rows(std::move(head), 1);
  for (const auto& server : results.peers) {
    if (!was_measured(results, server)) continue;
    std::vector<std::string> row{server.title};
    for (const auto kind : kinds) {
      const race_entry* entry = results.find(server.name, measure::name_of(kind));
      row.push_back(entry == nullptr         ? std::string("-")
                    : !entry->failed.empty() ? std::string("failed")
                                             : weight_of(*entry));
    }
    rows.add(std::move(row));
  }
  return rows.text() + "\nBytes of the process per connection.\n";
}

}  // namespace tare::cli
