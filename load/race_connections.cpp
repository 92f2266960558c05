#include "load/race_connections.hpp"

#include "load/weigh_connections.hpp"
#include "measure/race/entrant.hpp"
#include "measure/weigh/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace tare::load {
namespace {

using measure::connection_kind;

class runner {
 public:
  runner(const connection_race_plan& plan, const measure::race_listener& listener, measure::stop_signal stop)
      : plan_(plan), listener_(listener), stop_(stop) {}

  measure::race_results run() {
    const auto start = std::chrono::steady_clock::now();
    measure::race_results results = measure::results_of_today(plan_.root, stop_);
    results.connections = true;
    results.quick = plan_.quick;
    results.repeats = plan_.repeats;
    for (const auto& item : plan_.servers) {
      if (measure::told_to_stop(stop_)) break;
      auto about = measure::prepare_entrant(item, plan_.root, listener_, stop_);
      if (about.absent.empty() && about.failed.empty()) enter(item);
      results.peers.push_back(std::move(about));
    }
    for (unsigned repeat = 1; repeat <= plan_.repeats; ++repeat) {
      for (auto& each : lanes_) {
        if (!measure::told_to_stop(stop_) && each.failed.empty()) measure_once(each, repeat);
      }
    }
    for (auto& each : lanes_) add_entry(each, results);
    results.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return results;
  }

 private:
  /// One server in one kind.
  struct lane {
    const measure::peer* who;
    connection_kind kind;
    std::vector<measure::series> repeats;
    std::string failed;
  };

  void enter(const measure::peer& peer) {
    for (const auto kind : plan_.kinds) {
      if (peer.speaks(kind)) lanes_.push_back({.who = &peer, .kind = kind, .repeats = {}, .failed = {}});
    }
  }

  void measure_once(lane& lane, unsigned repeat) {
    const auto show = [&](std::uint64_t n) {
      if (!listener_.progress) return;
      listener_.progress(fmt::format("repeat {} of {}: {}, n = {}: {}", repeat, plan_.repeats,
                                     measure::name_of(lane.kind), n, lane.who->name));
    };
    connection_weighing what{.program = lane.who->server(lane.kind, plan_.root),
                             .counts = plan_.counts,
                             .kind = lane.kind,
                             .release = release_path,
                             .database = lane.who->database_for(lane.kind, plan_.root),
                             .time_limit = plan_.time_limit,
                             .total_time_limit = plan_.total_time_limit};
    if (lane.who->max_n) std::erase_if(what.counts, [&](std::uint64_t n) { return n > *lane.who->max_n; });
    auto measured = weigh_connections(what, stop_, show);
    if (!measured.samples.empty()) lane.repeats.push_back(std::move(measured.samples));
    if (!measured.failed || measured.failed->kind == base::fault::interrupted) return;
    lane.failed = measured.failed->message;
    if (listener_.complaint) {
      listener_.complaint(fmt::format("{} in {}: {}", lane.who->name, measure::name_of(lane.kind), lane.failed));
    }
  }

  static void add_entry(lane& lane, measure::race_results& results) {
    if (lane.repeats.empty() && lane.failed.empty()) return;
    measure::summary all = measure::summarize(lane.repeats);
    results.entries.push_back({.peer = lane.who->name,
                               .workload = std::string(measure::name_of(lane.kind)),
                               .points = std::move(all.points),
                               .weight = all.weight,
                               .notes = {},
                               .failed = std::move(lane.failed)});
  }

  const connection_race_plan& plan_;
  const measure::race_listener& listener_;
  measure::stop_signal stop_;
  std::vector<lane> lanes_;
};

}  // namespace

measure::race_results race_connections(const connection_race_plan& plan, const measure::race_listener& listener,
                                       measure::stop_signal stop) {
  return runner(plan, listener, stop).run();
}

}  // namespace tare::load
