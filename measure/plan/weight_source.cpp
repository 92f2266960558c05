#include "measure/plan/weight_source.hpp"

#include "base/json_problem.hpp"
#include "base/text_file.hpp"
#include "measure/race/results.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace tare::measure {
namespace {

using nlohmann::json;

/// The memory of the program without tasks, extrapolated from measurements with a few.
double without_tasks(double resident, double bytes, double tasks) { return std::max(0.0, resident - bytes * tasks); }

std::unexpected<base::error> unknown_program(std::string_view file, std::string_view name,
                                             const std::vector<std::string>& known) {
  if (name.empty()) {
    return base::input_error(
        fmt::format("{} contains several programs; name one of: {}", file, fmt::join(known, ", ")));
  }
  return base::input_error(
      fmt::format("{} contains no program '{}'; there are: {}", file, name, fmt::join(known, ", ")));
}

base::result<task_weight> from_race(std::string_view text, std::string_view file, const weight_choice& which) {
  const auto results = parse_results(text, file);
  if (!results) return std::unexpected(results.error());
  const auto is_it = [&](const race_peer& each) {
    return which.program.empty() ? each.subject : each.name == which.program;
  };
  const auto peer = std::ranges::find_if(results->peers, is_it);
  if (peer == results->peers.end()) {
    std::vector<std::string> known;
    for (const auto& each : results->peers) known.push_back(each.name);
    return unknown_program(file, which.program, known);
  }
  const race_entry* entry = results->find(peer->name, which.workload);
  if (entry == nullptr || !entry->weight) {
    return base::input_error(
        fmt::format("{} contains no weight of {} in the workload '{}'", file, peer->name, which.workload));
  }
  const auto& first = entry->points.front();
  return task_weight{.bytes = entry->weight->median,
                     .base_bytes = without_tasks(static_cast<double>(first.held.resident), entry->weight->median,
                                                 static_cast<double>(first.n)),
                     .source = fmt::format("{}, {} in {}", file, peer->name, which.workload)};
}

base::result<task_weight> from_weighing(const json& all, std::string_view file, const weight_choice& which) {
  if (const int schema = all.at("schema").get<int>(); schema != 1) {
    return base::input_error(fmt::format("{}: it has schema {}, and this command reads 1", file, schema));
  }
  const auto& programs = all.at("results");
  std::vector<std::string> names;
  const json* found = nullptr;
  for (const auto& each : programs) {
    names.push_back(each.at("name").get<std::string>());
    if (names.back() == which.program || (which.program.empty() && programs.size() == 1)) found = &each;
  }
  if (found == nullptr) return unknown_program(file, which.program, names);
  const auto name = found->at("name").get<std::string>();
  if (found->at("slope_bytes").is_null()) {
    return base::input_error(fmt::format("{} contains no weight of {}: it takes two numbers of tasks", file, name));
  }
  const auto bytes = found->at("slope_bytes").get<double>();
  const auto& first = found->at("points").at(0);
  return task_weight{
      .bytes = bytes,
      .base_bytes = without_tasks(first.at("rss_bytes").get<double>(), bytes, first.at("n").get<double>()),
      .source = fmt::format("{}, {}", file, name)};
}

}  // namespace

base::result<task_weight> parse_weight(std::string_view text, std::string_view file, const weight_choice& which) {
  try {
    const json all = json::parse(text);
    if (!all.is_object() || !all.contains("schema") || !all.contains("results")) {
      return base::input_error(fmt::format("{}: it contains no results of tare weigh or tare race", file));
    }
    return all.contains("kind") ? from_race(text, file, which) : from_weighing(all, file, which);
  } catch (const json::exception& wrong) {
    return base::input_error(fmt::format("{}: {}", file, base::json_problem(wrong.what())));
  }
}

base::result<task_weight> read_weight(const std::filesystem::path& file, const weight_choice& which) {
  const auto text = base::read_text_file(file);
  if (!text) return std::unexpected(text.error());
  return parse_weight(*text, file.string(), which);
}

}  // namespace tare::measure
