#include "measure/race/race.hpp"

#include "base/proc/memory.hpp"
#include "measure/race/entrant.hpp"
#include "measure/weigh/weigh.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tare::measure {
namespace {

/// The fraction of the free memory that one program may be expected to take.
constexpr double share_of_free_memory = 0.7;

class runner {
 public:
  runner(const race_plan& plan, const race_listener& listener, stop_signal stop)
      : plan_(plan), listener_(listener), stop_(stop) {}

  race_results run();

 private:
  /// The running state of one peer in one workload.
  struct lane {
    const peer* who = nullptr;
    const workload* what = nullptr;
    std::vector<series> repeats;
    std::vector<std::string> notes;
    std::string failed;
  };

  [[nodiscard]] bool told_to_stop() const { return measure::told_to_stop(stop_); }
  void complain(std::string_view line) const {
    if (listener_.complaint) listener_.complaint(line);
  }
  [[nodiscard]] std::vector<std::uint64_t> counts_of(const workload& what) const;
  [[nodiscard]] bool takes(const peer& who, const workload& what, std::uint64_t n) const;
  void measure(const workload& what, unsigned repeat);
  void measure(lane& lane, std::uint64_t n, unsigned repeat);
  [[nodiscard]] bool fits(lane& lane, std::uint64_t n) const;
  lane& lane_of(const peer& who, const workload& what);

  const race_plan& plan_;
  const race_listener& listener_;
  stop_signal stop_;
  race_results results_;
  std::vector<const peer*> ready_;
  std::vector<lane> lanes_;
};

std::vector<std::uint64_t> runner::counts_of(const workload& what) const {
  if (!plan_.counts.empty()) return plan_.counts;
  const auto usual = plan_.quick ? what.quick_counts : what.counts;
  return {usual.begin(), usual.end()};
}

bool runner::takes(const peer& who, const workload& what, std::uint64_t n) const {
  if (!who.has_workload(what.name)) return false;
  if (!plan_.counts.empty()) return true;
  const auto most = who.limit(what.name).value_or(usual_limit);
  if (n > most) return false;
  if (what.what == measures::weight || n == 0) return true;
  return std::ranges::none_of(counts_of(what), [&](std::uint64_t other) { return other > n && other <= most; });
}

runner::lane& runner::lane_of(const peer& who, const workload& what) {
  const auto found =
      std::ranges::find_if(lanes_, [&](const lane& each) { return each.who == &who && each.what == &what; });
  if (found != lanes_.end()) return *found;
  return lanes_.emplace_back(lane{.who = &who, .what = &what, .repeats = {}, .notes = {}, .failed = {}});
}

/// Whether memory suffices for this many tasks, according to the weight so far. With swapping, the disk would be
/// measured.
bool runner::fits(lane& lane, std::uint64_t n) const {
  if (lane.what->what != measures::weight || lane.repeats.back().size() < 2) return true;
  const auto free = base::available_memory();
  const auto& last = lane.repeats.back().back();
  if (!free || last.n == 0) return true;
  const double expected =
      static_cast<double>(last.held.resident) / static_cast<double>(last.n) * static_cast<double>(n);
  if (expected <= static_cast<double>(*free) * share_of_free_memory) return true;
  std::string note = fmt::format("n = {} left out: it would take {:.1f} GB, and {:.1f} GB are free", n, expected / 1e9,
                                 static_cast<double>(*free) / 1e9);
  if (lane.notes.empty()) lane.notes.push_back(std::move(note));
  return false;
}

void runner::measure(lane& lane, std::uint64_t n, unsigned repeat) {
  if (listener_.progress) {
    listener_.progress(
        fmt::format("repeat {} of {}: {}, n = {}: {}", repeat, plan_.repeats, lane.what->name, n, lane.who->name));
  }
  const command program = lane.who->program(lane.what->name, plan_.root);
  auto measured = weigh_once(program, n, plan_.time_limit, stop_, lane.what->settle);
  if (measured) {
    lane.repeats.back().push_back(std::move(*measured));
  } else if (measured.error().kind != base::fault::interrupted) {
    lane.failed = measured.error().message;
    complain(fmt::format("{} in {}: {}", lane.who->name, lane.what->name, lane.failed));
  }
}

void runner::measure(const workload& what, unsigned repeat) {
  for (const peer* who : ready_) {
    if (who->has_workload(what.name)) lane_of(*who, what).repeats.emplace_back();
  }
  for (const std::uint64_t n : counts_of(what)) {
    for (const peer* who : ready_) {
      if (told_to_stop()) return;
      if (!takes(*who, what, n)) continue;
      lane& lane = lane_of(*who, what);
      if (lane.failed.empty() && fits(lane, n)) measure(lane, n, repeat);
    }
  }
}

race_results runner::run() {
  const auto start = std::chrono::steady_clock::now();
  results_ = results_of_today(plan_.root, stop_);
  results_.quick = plan_.quick;
  results_.repeats = plan_.repeats;
  for (const peer& each : plan_.peers) {
    if (told_to_stop()) break;
    race_peer about = prepare_entrant(each, plan_.root, listener_, stop_);
    if (about.absent.empty() && about.failed.empty()) ready_.push_back(&each);
    results_.peers.push_back(std::move(about));
  }
  for (unsigned repeat = 1; repeat <= plan_.repeats; ++repeat) {
    for (const workload* what : plan_.workloads) {
      if (!told_to_stop()) measure(*what, repeat);
    }
  }
  for (const workload* what : plan_.workloads) {
    for (const peer* who : ready_) {
      const auto found =
          std::ranges::find_if(lanes_, [&](const lane& each) { return each.who == who && each.what == what; });
      if (found == lanes_.end()) continue;
      summary all = summarize(found->repeats);
      if (all.points.empty() && found->failed.empty()) continue;
      if (what->what != measures::weight) all.weight.reset();
      results_.entries.push_back({.peer = who->name,
                                  .workload = std::string(what->name),
                                  .points = std::move(all.points),
                                  .weight = all.weight,
                                  .notes = std::move(found->notes),
                                  .failed = std::move(found->failed)});
    }
  }
  results_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return std::move(results_);
}

}  // namespace

race_results race(const race_plan& plan, const race_listener& listener, stop_signal stop) {
  return runner(plan, listener, stop).run();
}

bool any_failed(const race_results& results) {
  return std::ranges::any_of(results.peers, [](const race_peer& each) { return !each.failed.empty(); }) ||
         std::ranges::any_of(results.entries, [](const race_entry& each) { return !each.failed.empty(); });
}

}  // namespace tare::measure
