#pragma once

#include "measure/weigh/weigh.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tare::measure {

/// Bytes per task.
struct slope {
  double median = 0;   ///< of one value per run
  double lowest = 0;   ///< the smallest of these values
  double highest = 0;  ///< the largest

  friend bool operator==(const slope&, const slope&) = default;
};

/// The slope between two numbers of tasks: in each run (RSS(to) - RSS(from)) / (to - from), over the runs that have
/// both. What the program holds without tasks is the same at both ends, so it cancels out.
///
/// Nothing if `to` is not larger than `from`, or no run has both.
[[nodiscard]] std::optional<slope> slope_between(std::span<const series> runs, std::uint64_t from, std::uint64_t to);

/// The middle value; for an even number of values, the mean of the two in the middle. There must be at least one value.
[[nodiscard]] double median(std::vector<double> values);

/// What the kernel holds per connection, slabs and buffers, between the first and the last of the points of a summary.
/// Empty if there are not two, or the kernel does not say.
[[nodiscard]] std::optional<double> kernel_slope(std::span<const sample> points);

/// The summary of several runs.
struct summary {
  /// For each measured n, in increasing order: the median over the runs of each figure.
  std::vector<sample> points;
  /// Between the smallest and the largest n. Empty if there are not two.
  std::optional<slope> weight;
};

[[nodiscard]] summary summarize(std::span<const series> runs);

}  // namespace tare::measure
