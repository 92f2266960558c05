#include "measure/race/results.hpp"

#include "base/json_problem.hpp"
#include "base/text_file.hpp"
#include "measure/weigh/figures_json.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace tare::measure {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kind = "tare race";

ordered_json json_of(const sample& point) {
  ordered_json reported = ordered_json::object();
  for (const auto& [key, value] : point.reported) reported[key] = value;
  ordered_json json = figures_of(point);
  json["reported"] = std::move(reported);
  if (point.closed != 0) json["closed_rss_bytes"] = point.closed;
  return json;
}

ordered_json json_of(const race_entry& entry) {
  ordered_json json{{"peer", entry.peer}, {"workload", entry.workload}};
  const auto or_null = [&](double slope::* figure) {
    return entry.weight ? ordered_json((*entry.weight).*figure) : ordered_json();
  };
  json["slope_bytes"] = or_null(&slope::median);
  json["slope_lowest_bytes"] = or_null(&slope::lowest);
  json["slope_highest_bytes"] = or_null(&slope::highest);
  json["points"] = ordered_json::array();
  for (const auto& point : entry.points) json["points"].push_back(json_of(point));
  if (!entry.notes.empty()) json["notes"] = entry.notes;
  if (!entry.failed.empty()) json["failed"] = entry.failed;
  return json;
}

ordered_json json_of(const race_peer& peer) {
  ordered_json json{{"name", peer.name},       {"title", peer.title},     {"language", peer.language},
                    {"version", peer.version}, {"subject", peer.subject}, {"floor", peer.floor}};
  if (!peer.absent.empty()) json["absent"] = peer.absent;
  if (!peer.failed.empty()) json["failed"] = peer.failed;
  return json;
}

/// Thrown and caught in this file only: what is wrong, and where.
struct wrong_file {
  std::string what;
};

/// A number that a file may hold where a count or bytes belong.
std::uint64_t whole_number(const ordered_json& json, const char* key) {
  const auto& value = json.at(key);
  if (!value.is_number_unsigned()) throw wrong_file{fmt::format("'{}' is not a whole number", key)};
  return value.get<std::uint64_t>();
}

/// Nothing if the key is missing.
std::optional<std::int64_t> difference(const ordered_json& json, const char* key) {
  constexpr std::int64_t largest = std::int64_t{1} << 60U;
  const auto found = json.find(key);
  if (found == json.end()) return std::nullopt;
  const bool fits = found->is_number_unsigned() ? found->get<std::uint64_t>() <= std::uint64_t{largest}
                                                : found->is_number_integer() && found->get<std::int64_t>() >= -largest;
  if (!fits) throw wrong_file{fmt::format("'{}' is not a number of bytes", key)};
  return found->get<std::int64_t>();
}

std::chrono::nanoseconds time(const ordered_json& json, const char* key) {
  constexpr double longest = 1e9;
  const double value = json.at(key).get<double>();
  if (!(value >= 0 && value <= longest)) throw wrong_file{fmt::format("'{}' is not a time", key)};
  return std::chrono::nanoseconds(std::llround(value * 1e9));
}

sample sample_of(const ordered_json& json) {
  sample point{.n = whole_number(json, "n"),
               .held = {.resident = whole_number(json, "rss_bytes"),
                        .proportional = whole_number(json, "pss_bytes"),
                        .anonymous = whole_number(json, "anonymous_bytes"),
                        .page_tables = whole_number(json, "page_table_bytes"),
                        .peak = whole_number(json, "peak_bytes"),
                        .swapped = whole_number(json, "swapped_bytes")},
               .ready = time(json, "ready_seconds"),
               .cpu = time(json, "cpu_seconds")};
  if (json.contains("burst_rss_bytes")) point.burst = whole_number(json, "burst_rss_bytes");
  if (json.contains("closed_rss_bytes")) point.closed = whole_number(json, "closed_rss_bytes");
  point.kernel = {.slab = difference(json, "slab_bytes"), .sockets = difference(json, "socket_bytes")};
  for (const auto& [key, value] : json.at("reported").items()) point.reported.emplace(key, value.get<double>());
  return point;
}

race_entry entry_of(const ordered_json& json) {
  race_entry entry{.peer = json.at("peer"),
                   .workload = json.at("workload"),
                   .points = {},
                   .weight = {},
                   .notes = {},
                   .failed = json.value("failed", "")};
  if (!json.at("slope_bytes").is_null()) {
    entry.weight = slope{json.at("slope_bytes"), json.at("slope_lowest_bytes"), json.at("slope_highest_bytes")};
  }
  for (const auto& point : json.at("points")) entry.points.push_back(sample_of(point));
  if (!std::ranges::is_sorted(entry.points, std::less_equal{}, &sample::n)) {
    throw wrong_file{fmt::format("the points of {} in {} are not in increasing order", entry.peer, entry.workload)};
  }
  if (json.contains("notes")) entry.notes = json.at("notes").get<std::vector<std::string>>();
  return entry;
}

bool measures_connections(const ordered_json& json) {
  const std::string measured = json.value("measured", "tasks");
  if (measured != "tasks" && measured != "connections") throw wrong_file{"'measured' is not 'tasks' or 'connections'"};
  return measured == "connections";
}

race_results results_of(const ordered_json& json) {
  if (!json.is_object() || json.value("kind", "") != kind) throw wrong_file{"it contains no results of tare race"};
  if (const int schema = json.at("schema").get<int>(); schema != race_schema) {
    throw wrong_file{fmt::format("it has schema {}, and this command reads {}; {}", schema, race_schema,
                                 schema < race_schema ? "run tare race again" : "use a newer tare")};
  }
  race_results results{.date = json.at("date"),
                       .commit = json.at("commit"),
                       .connections = measures_connections(json),
                       .quick = json.at("quick"),
                       .repeats = json.at("repeats"),
                       .seconds = json.at("seconds"),
                       .where = {},
                       .peers = {},
                       .entries = {}};
  const auto& where = json.at("machine");
  results.where = {.cpu = where.at("cpu"),
                   .cores = where.at("cores"),
                   .kernel = where.at("kernel"),
                   .transparent_huge_pages = where.at("transparent_huge_pages")};
  for (const auto& each : json.at("peers")) {
    results.peers.push_back({.name = each.at("name"),
                             .title = each.at("title"),
                             .language = each.at("language"),
                             .version = each.at("version"),
                             .subject = each.at("subject"),
                             .floor = each.at("floor"),
                             .absent = each.value("absent", ""),
                             .failed = each.value("failed", "")});
  }
  for (const auto& each : json.at("results")) {
    race_entry entry = entry_of(each);
    if (results.find(entry.peer) == nullptr) throw wrong_file{fmt::format("there is no peer '{}'", entry.peer)};
    results.entries.push_back(std::move(entry));
  }
  return results;
}

}  // namespace

const sample* race_entry::at(std::uint64_t n) const {
  const auto found = std::ranges::find(points, n, &sample::n);
  return found == points.end() ? nullptr : &*found;
}

const race_entry* race_results::find(std::string_view peer, std::string_view workload) const {
  const auto found = std::ranges::find_if(
      entries, [&](const race_entry& entry) { return entry.peer == peer && entry.workload == workload; });
  return found == entries.end() ? nullptr : &*found;
}

const race_peer* race_results::find(std::string_view peer) const {
  const auto found = std::ranges::find(peers, peer, &race_peer::name);
  return found == peers.end() ? nullptr : &*found;
}

std::string to_json(const race_results& results) {
  ordered_json all{{"kind", kind},
                   {"schema", race_schema},
                   {"date", results.date},
                   {"commit", results.commit},
                   {"measured", results.connections ? "connections" : "tasks"},
                   {"quick", results.quick},
                   {"repeats", results.repeats},
                   {"seconds", results.seconds},
                   {"machine",
                    {{"cpu", results.where.cpu},
                     {"cores", results.where.cores},
                     {"kernel", results.where.kernel},
                     {"transparent_huge_pages", results.where.transparent_huge_pages}}},
                   {"peers", ordered_json::array()},
                   {"results", ordered_json::array()}};
  for (const auto& peer : results.peers) all["peers"].push_back(json_of(peer));
  for (const auto& entry : results.entries) all["results"].push_back(json_of(entry));
  // A message may hold bytes that are no UTF-8.
  return all.dump(1, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

base::result<race_results> parse_results(std::string_view text, std::string_view file) {
  try {
    return results_of(ordered_json::parse(text));
  } catch (const wrong_file& wrong) {
    return base::input_error(fmt::format("{}: {}", file, wrong.what));
  } catch (const ordered_json::exception& wrong) {
    return base::input_error(fmt::format("{}: {}", file, base::json_problem(wrong.what())));
  }
}

base::result<race_results> read_results(const std::filesystem::path& file) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  return parse_results(*text, file.string());
}

}  // namespace tare::measure
