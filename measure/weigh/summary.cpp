#include "measure/weigh/summary.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace tare::measure {
namespace {

const sample* find(const series& run, std::uint64_t n) {
  const auto found = std::ranges::find(run, n, &sample::n);
  return found == run.end() ? nullptr : &*found;
}

template <class Figure>
std::uint64_t median_bytes(std::span<const sample* const> samples, Figure figure) {
  std::vector<double> values;
  for (const sample* each : samples) values.push_back(static_cast<double>(figure(*each)));
  return static_cast<std::uint64_t>(std::llround(median(std::move(values))));
}

std::uint64_t median_of(std::span<const sample* const> samples, std::uint64_t base::memory::* figure) {
  return median_bytes(samples, [figure](const sample& each) { return each.held.*figure; });
}

std::uint64_t median_of(std::span<const sample* const> samples, std::uint64_t sample::* figure) {
  return median_bytes(samples, [figure](const sample& each) { return each.*figure; });
}

std::chrono::nanoseconds median_of(std::span<const sample* const> samples, std::chrono::nanoseconds sample::* figure) {
  std::vector<double> values;
  for (const sample* each : samples) values.push_back(static_cast<double>((each->*figure).count()));
  return std::chrono::nanoseconds(std::llround(median(std::move(values))));
}

std::optional<std::int64_t> median_of(std::span<const sample* const> samples,
                                      std::optional<std::int64_t> kernel_growth::* figure) {
  std::vector<double> values;
  for (const sample* each : samples) {
    if (const auto& value = each->kernel.*figure) values.push_back(static_cast<double>(*value));
  }
  if (values.empty()) return std::nullopt;
  return std::llround(median(std::move(values)));
}

reported_values medians_of_reports(std::span<const sample* const> samples) {
  std::map<std::string, std::vector<double>> values;
  for (const sample* each : samples) {
    for (const auto& [key, value] : each->reported) values[key].push_back(value);
  }
  reported_values medians;
  for (auto& [key, all] : values) medians.emplace(key, median(std::move(all)));
  return medians;
}

}  // namespace

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::optional<slope> slope_between(std::span<const series> runs, std::uint64_t from, std::uint64_t to) {
  if (to <= from) return std::nullopt;
  std::vector<double> values;
  for (const series& run : runs) {
    const sample* first = find(run, from);
    const sample* last = find(run, to);
    if (first == nullptr || last == nullptr) continue;
    // Uses doubles, because a program may hold less with more tasks.
    const double bytes = static_cast<double>(last->held.resident) - static_cast<double>(first->held.resident);
    values.push_back(bytes / static_cast<double>(to - from));
  }
  if (values.empty()) return std::nullopt;
  const auto [lowest, highest] = std::ranges::minmax(values);
  return slope{median(values), lowest, highest};
}

std::optional<double> kernel_slope(std::span<const sample> points) {
  if (points.size() < 2) return std::nullopt;
  const sample& first = points.front();
  const sample& last = points.back();
  if (!first.kernel.slab || !first.kernel.sockets || !last.kernel.slab || !last.kernel.sockets) return std::nullopt;
  const auto bytes = *last.kernel.slab + *last.kernel.sockets - *first.kernel.slab - *first.kernel.sockets;
  return static_cast<double>(bytes) / static_cast<double>(last.n - first.n);
}

summary summarize(std::span<const series> runs) {
  std::map<std::uint64_t, std::vector<const sample*>> by_count;
  for (const series& run : runs)
    for (const sample& each : run) by_count[each.n].push_back(&each);

  summary all;
  for (const auto& [n, samples] : by_count) {
    all.points.push_back({
        .n = n,
        .held = {.resident = median_of(samples, &base::memory::resident),
                 .proportional = median_of(samples, &base::memory::proportional),
                 .anonymous = median_of(samples, &base::memory::anonymous),
                 .page_tables = median_of(samples, &base::memory::page_tables),
                 .peak = median_of(samples, &base::memory::peak),
                 .swapped = median_of(samples, &base::memory::swapped)},
        .ready = median_of(samples, &sample::ready),
        .cpu = median_of(samples, &sample::cpu),
        .burst = median_of(samples, &sample::burst),
        .closed = median_of(samples, &sample::closed),
        .kernel = {.slab = median_of(samples, &kernel_growth::slab),
                   .sockets = median_of(samples, &kernel_growth::sockets)},
        .reported = medians_of_reports(samples),
    });
  }
  if (!all.points.empty()) all.weight = slope_between(runs, all.points.front().n, all.points.back().n);
  return all;
}

}  // namespace tare::measure
