#pragma once

// The workloads of a race. bench/README.md says what a program does in each.

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

namespace tare::measure {

/// What is to be learned from a workload.
enum class measures : std::uint8_t {
  weight,  ///< Bytes per task: its numbers are numbers of tasks.
  speed,   ///< Time of steps that the program takes before READY, `n` of them.
  churn,   ///< Memory before and after such steps: its numbers are 0 and how many.
};

struct workload {
  std::string_view name;
  std::string_view title;
  measures what = measures::weight;
  /// Growing. Where speed is measured, a program does the largest of these within its limit, and not the others.
  std::span<const std::uint64_t> counts;
  std::span<const std::uint64_t> quick_counts;
  /// How long a program may give back memory before it is read.
  std::chrono::milliseconds settle{0};
};

/// In the order of a report.
[[nodiscard]] std::span<const workload> workloads();

/// The one of that name, or null.
[[nodiscard]] const workload* find_workload(std::string_view name);

/// Numbers of tasks above it are measured only where a list of peers names a higher limit.
inline constexpr std::uint64_t usual_limit = 1'000'000;

}  // namespace tare::measure
