#pragma once

// The workloads of a race. bench/README.md says what a program does in each.

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

namespace tare::measure {

/// What a workload measures.
enum class measures : std::uint8_t {
  weight,  ///< bytes per task: its numbers are numbers of tasks
  speed,   ///< time of the `n` steps that the program takes before READY
  churn,   ///< memory before and after such steps: its numbers are 0 and the number of steps
};

struct workload {
  std::string_view name;
  std::string_view title;
  measures what = measures::weight;
  /// Increasing. For speed, a program runs only the largest of these within its limit.
  std::span<const std::uint64_t> counts;
  std::span<const std::uint64_t> quick_counts;
  /// How long a program may return memory before it is measured.
  std::chrono::milliseconds settle{0};
};

/// In report order.
[[nodiscard]] std::span<const workload> workloads();

/// The workload with that name, or null.
[[nodiscard]] const workload* find_workload(std::string_view name);

/// Larger numbers of tasks are measured only if a list of peers sets a higher limit.
inline constexpr std::uint64_t usual_limit = 1'000'000;

}  // namespace tare::measure
