#include "measure/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace tare::measure {
namespace {

/// An entry of 8 bytes maps a page of 4 KiB; the levels above it do not matter.
constexpr double page_table_share = 8.0 / 4096;
constexpr double frame_step = 64.0 * 1024;
/// What the arena takes without tasks: tables of descriptors, buffers, partly used slabs of each size; and an area of 2
/// MiB that is populated at once. 1.2 MiB in the idle service.
constexpr double frame_base = 4.0 * 1024 * 1024;
/// For the frames of running tasks, which are larger than those of suspended ones.
constexpr double frame_headroom = 1.125;

struct request_counts {
  double in_flight = 0;
  double responding = 0;  ///< those of them that hold buffers
};

request_counts requests_at(const plan_request& asked, double tasks) {
  // Each task has at most one request in flight.
  const double in_flight = asked.in_flight > 0 ? std::min(asked.in_flight, tasks)
                                               : std::min(asked.rate * asked.latency, tasks) +
                                                     std::min(asked.rate_per_task * asked.latency, 1.0) * tasks;
  return {.in_flight = in_flight, .responding = std::min(in_flight, asked.max_responding)};
}

std::optional<std::string> nonsense(const plan_request& asked) {
  const std::pair<double, std::string_view> figures[] = {{asked.task.bytes, "weight of a task"},
                                                         {asked.task.base_bytes, "base"},
                                                         {asked.sockets, "number of sockets"},
                                                         {asked.kernel_bytes, "kernel's bytes of a socket"},
                                                         {asked.rate, "rate"},
                                                         {asked.rate_per_task, "rate of a task"},
                                                         {asked.latency, "latency"},
                                                         {asked.in_flight, "number of requests in flight"},
                                                         {asked.waiting_bytes, "bytes of a waiting request"},
                                                         {asked.buffer_bytes, "buffers of a request"}};
  for (const auto& [value, name] : figures) {
    if (!(value >= 0) || !std::isfinite(value)) return fmt::format("the {} must not be below 0", name);
  }
  if (asked.task.bytes <= 0) return "the weight of a task must be above 0";
  if (!(asked.max_responding >= 0)) return "the number of responding requests must not be below 0";
  if (!(asked.reserve >= 0 && asked.reserve < 1)) return "the reserve must be at least 0 and below 1";
  return std::nullopt;
}

std::uint64_t whole(double value) {
  constexpr double most = 1e18;
  return static_cast<std::uint64_t>(std::clamp(std::floor(value), 0.0, most));
}

/// The largest number of tasks for which `fits` holds; it is monotonic.
template <class Fits>
std::uint64_t max_that(Fits fits) {
  std::uint64_t low = 0;
  std::uint64_t high = 1;
  constexpr std::uint64_t enough = 1'000'000'000'000'000;
  while (high < enough && fits(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace

memory_shares shares_at(const plan_request& asked, double tasks) {
  const request_counts requests = requests_at(asked, tasks);
  memory_shares shares{.base = asked.task.base_bytes,
                       .tasks = tasks * asked.task.bytes,
                       .sockets = tasks * asked.sockets * asked.kernel_bytes,
                       .waiting = (requests.in_flight - requests.responding) * asked.waiting_bytes,
                       .buffers = requests.responding * asked.buffer_bytes};
  shares.page_tables = shares.resident() * page_table_share;
  return shares;
}

base::result<plan_answer> plan(const plan_request& asked) {
  if (const auto wrong = nonsense(asked)) return base::input_error(*wrong);
  const double usable = static_cast<double>(asked.memory) * (1 - asked.reserve);
  if (shares_at(asked, 0).total() > usable) {
    return base::input_error(
        fmt::format("the program alone takes {:.0f} bytes, and there are {:.0f} without the reserve",
                    shares_at(asked, 0).total(), usable));
  }

  plan_answer answer;
  answer.by_memory =
      max_that([&](std::uint64_t n) { return shares_at(asked, static_cast<double>(n)).total() <= usable; });
  answer.tasks = answer.by_memory;
  answer.limit = limited_by::memory;
  if (asked.descriptors != 0 && asked.sockets > 0) {
    const std::uint64_t left = asked.descriptors - std::min(asked.descriptors, asked.other_descriptors);
    answer.by_descriptors = whole(static_cast<double>(left) / asked.sockets);
    if (*answer.by_descriptors < answer.tasks) {
      answer.tasks = *answer.by_descriptors;
      answer.limit = limited_by::descriptors;
    }
  }

  const auto tasks = static_cast<double>(answer.tasks);
  const request_counts requests = requests_at(asked, tasks);
  answer.in_flight = requests.in_flight;
  answer.responding = requests.responding;
  answer.shares = shares_at(asked, tasks);
  const double frames =
      frame_base + (answer.shares.tasks + answer.shares.waiting + answer.shares.buffers) * frame_headroom;
  answer.frame_limit = whole(std::ceil(frames / frame_step) * frame_step);
  answer.buffer_budget = whole(std::ceil(answer.shares.buffers));
  answer.open_files = whole(std::ceil(tasks * asked.sockets)) + asked.other_descriptors;
  return answer;
}

}  // namespace tare::measure
